"""The strikes as a table: for the terminal, and for docs/operations.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.table import Table

from bench.chaos.plan import Fault
from bench.chaos.rows import Row

Figures = Mapping[str, Mapping[str, Any]]
_COLUMNS: Final = ("down", " sent", "429", "missed", "inside", "lost", "k", "workers", "again")
"""Between what was killed and the verdict, times in seconds. `429`: refused, by 503 too; `missed`: sent to a worker
that was gone already; `inside`: in the killed worker; `again`: since it ran again, until all was as it should be."""


def table_of(rows: Sequence[Row]) -> Table:
    """One line for each strike, with its verdict; 80 characters wide where all promises are kept."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("killed", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in rows:
        table.add_row(*_cells(row), style="red" if row.broken else "")
    return table


def _cells(row: Row) -> tuple[str, ...]:
    requests = row.requests
    counts = (requests.sent, requests.refused, requests.unreached, requests.inside, requests.lost)
    converged = "never" if row.converged_s is None else f"{row.converged_s:.1f}"
    levels = (str(row.students), str(row.workers))
    verdict = ", ".join(row.broken) or "kept"
    return (str(row.fault), f"{row.down_s:.1f}", *map(str, counts), *levels, converged, verdict)


def markdown(figures: Figures) -> str:
    """By what was killed."""
    lines = [
        "| killed with -9 | times | requests | lost | inside the killed worker | not reached | refused "
        "| students, workers dropped | converged after (longest) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in Fault:

        def value(name: str, fault: Fault = fault) -> float:
            return float(figures[f"{fault.name}:{name}"]["value"])

        converged = figures[f"{fault.name}:converged"]
        counts = ("strikes", "requests", "lost", "inside", "unreached", "refused")
        cells = [str(fault), *(f"{value(name):,.0f}" for name in counts)]
        cells += [
            f"{value('students'):.0f}, {value('workers'):.0f}",
            f"{converged['value']:.1f} s ({converged['high']:.1f})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
