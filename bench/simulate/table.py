"""The table of docs/simulation.md, from the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Figures = Mapping[str, Mapping[str, Any]]

_TRACES: Final = ("flash-crowd", "on-off", "diurnal")
_POLICIES: Final = {
    "operator": "operator",
    "fixed": "all students, the operator's workers",
    "fewest": "all students, the fewest fixed workers that keep the objective as well",
    "hpa": "all students, HorizontalPodAutoscaler at 70 %",
}


def markdown(figures: Figures) -> str:
    """A line for each trace and policy; ranges are those of the seeds."""
    lines = [
        "| trace | policy | late or refused | seconds that miss the objective | worker-hours | mean k "
        "| answers that differ | changes of workers |",
        "|---" * 8 + "|",
    ]
    for trace in _TRACES:
        for policy, label in _POLICIES.items():
            key = f"{trace}:{policy}"
            cells = [
                trace,
                label,
                _range(figures[f"{key}:violating"], "{:.2%}"),
                _range(figures[f"{key}:missed"], "{:.0f}"),
                _range(figures[f"{key}:hours"], "{:.1f}"),
                f"{figures[f'{key}:students']['value']:.2f}",
                f"{figures[f'{key}:differing']['value']:.2%}",
                _range(figures[f"{key}:moves"], "{:.0f}"),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _range(figure: Mapping[str, float], form: str) -> str:
    """The value, and the bounds where they differ from it."""
    value, low, high = (form.format(figure[name]) for name in ("value", "low", "high"))
    return value if low == high == value else f"{value} ({low} to {high})"
