"""What a run found, for the terminal: against the goals first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.record import Figure

LATENCY_GOAL: Final = 4.1
LATENCY_FLOOR: Final = 1.6
"""Times lower latency than the best teacher: the span of the paper's gains (arXiv 2408.12526, abstract)."""
THROUGHPUT_GOAL: Final = 22.27
"""Times the padded teacher's throughput in a burst, from the same place."""


def show(figures: Mapping[str, Figure], skipped: Mapping[str, Sequence[str]], console: Console) -> None:
    """Goals, then every figure by kind, then what was left out."""
    console.print(_goals(figures))
    for kind in dict.fromkeys(key.split(":", 1)[0] for key in figures):
        console.print(_table(kind, figures))
    for part, whats in skipped.items():
        for what in whats:
            console.print(f"[yellow]not measured ({part}): {escape(what)}")


def verdict(value: float, *, goal: float, floor: float | None = None) -> str:
    """How a ratio stands to its goal."""
    if value >= goal:
        return f"reaches the goal of {goal:g}"
    if floor is not None and value >= floor:
        return f"above the floor of {floor:g}, below the goal of {goal:g}"
    return f"below the {'floor' if floor is not None else 'goal'} of {goal if floor is None else floor:g}"


def _goals(figures: Mapping[str, Figure]) -> Table:
    table = Table("compared", "ratio", "spread", "verdict", title="Against the goals")
    for key, figure in figures.items():
        kind, _, rest = key.partition(":")
        if kind == "speedup":
            said = verdict(figure.value, goal=LATENCY_GOAL, floor=LATENCY_FLOOR)
            table.add_row(f"latency of the best teacher over {rest}", *_cells(figure), said)
        elif kind == "gain" and rest.startswith("k1_"):
            table.add_row(f"throughput of {rest} over padded eager", *_cells(figure),
                          verdict(figure.value, goal=THROUGHPUT_GOAL))  # fmt: skip
    return table


def _table(kind: str, figures: Mapping[str, Figure]) -> Table:
    table = Table(kind, "value", "low to high", "unit")
    for key, figure in figures.items():
        if key.split(":", 1)[0] == kind:
            table.add_row(key.partition(":")[2], *_cells(figure), figure.unit)
    return table


def _cells(figure: Figure) -> tuple[str, str]:
    return f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}"
