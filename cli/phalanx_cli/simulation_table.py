"""Policies over one trace, side by side, for the eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich import box
from rich.table import Table

from phalanx_operator.simulate.replay import Run
from phalanx_operator.simulate.score import Score

_COLUMNS: Final[tuple[tuple[str, Callable[[Score], str]], ...]] = (
    ("   late", lambda score: f"{score.late:.0f}"),
    ("   429", lambda score: f"{score.refused:.0f}"),
    (" of texts", lambda score: f"{score.violating:.2%}"),
    (" missed s", lambda score: str(score.violating_s)),
    (" worker-h", lambda score: f"{score.worker_hours:.1f}"),
    ("   k", lambda score: f"{score.mean_students:.2f}"),
    (" differ", lambda score: f"{score.disagreeing:.2%}"),
    (" moves", lambda score: f"{score.worker_changes}"),
)
"""Title and cell. `missed s`: seconds whose p99 missed the objective; `differ`: answers that all students would have
given differently; `moves`: changes of the number of workers."""


def table_of(runs: Sequence[Run]) -> Table:
    """One line for each policy; 80 characters wide."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("", no_wrap=True)
    for title, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for run in runs:
        table.add_row(run.policy, *(cell(run.score) for _, cell in _COLUMNS))
    return table
