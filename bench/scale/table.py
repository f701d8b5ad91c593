"""The table of docs/platform.md, from the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]


def markdown(figures: Figures) -> str:
    """What was there, and how long and how much it took."""

    def value(name: str) -> float:
        return float(figures[name]["value"])

    change = figures["change:p99"]
    what = f"{value('pools'):,.0f} pools, {value('ensembles'):,.0f} ensembles, {value('adapters'):,.0f} adapters"
    rows = (
        ("operator starts, until all plans are out", f"{value('plans'):.0f} s"),
        ("operator starts, until all statuses are about their specs", f"{value('converged'):.0f} s"),
        (
            f"one change until it is in a worker's file, p99 of {value('changes'):.0f}",
            f"{change['value']:.2f} s (median {change['low']:.2f}, longest {change['high']:.2f})",
        ),
        ("idle: writes to the API server", f"{value('idle:writes'):.1f} a minute"),
        ("idle: share of a core", f"{value('idle:core'):.1%}"),
        ("memory, most and idle", f"{value('memory'):.0f} MB, {value('idle:memory'):.0f} MB"),
        (
            "operator starts again and meets one change: until it is in a worker's file",
            f"{value('restart'):.0f} s, {value('restart:writes'):.0f} writes until all is quiet, "
            f"{value('restart:memory'):.0f} MB at most",
        ),
    )
    return "\n".join([f"| {what} | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)])
