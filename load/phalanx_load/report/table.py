"""A report as a table for the eye."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich import box
from rich.table import Table

from phalanx_load.report.figures import PhaseReport, Report

Cell = Callable[[PhaseReport], str]


def _ms(phase: PhaseReport, name: str) -> str:
    """Whole milliseconds, below ten with a tenth, or nothing."""
    if phase.latency is None:
        return ""
    value: float = getattr(phase.latency, name)
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _students(phase: PhaseReport) -> str:
    return f"{phase.students.mean:.2f}" if phase.students else ""


def _right(phase: PhaseReport) -> str:
    return f"{phase.accuracy.all.value:.3f}" if phase.accuracy else ""


_COLUMNS: Final[tuple[tuple[str, Cell], ...]] = (
    ("sent/s", lambda phase: "" if phase.offered_per_s is None else f"{phase.offered_per_s:.0f}"),
    ("ok", lambda phase: str(phase.answered)),
    ("429", lambda phase: str(phase.refused)),
    ("lost", lambda phase: str(phase.lost)),
    ("p50 ms", lambda phase: _ms(phase, "p50_ms")),
    ("p99", lambda phase: _ms(phase, "p99_ms")),
    ("p99.9", lambda phase: _ms(phase, "p999_ms")),
)

_OPTIONAL: Final[tuple[tuple[str, Callable[[PhaseReport], object], Cell], ...]] = (
    ("missed", lambda phase: phase.missed, lambda phase: _percent(phase.missed)),
    ("k", lambda phase: phase.students, _students),
    ("min k", lambda phase: phase.students, lambda phase: str(phase.students.least) if phase.students else ""),
    ("exits", lambda phase: phase.early_exits or None, lambda phase: _percent(phase.early_exits)),
    ("right", lambda phase: phase.accuracy, _right),
)
"""Title, what has to be known for the column to be there, and the cell."""


def table_of(report: Report) -> Table:
    """One line for each phase, and one for all where there are several; 80 characters wide."""
    phases = [*report.phases, report.all] if len(report.phases) > 1 else list(report.phases)
    columns = [*_COLUMNS, *((title, cell) for title, known, cell in _OPTIONAL if known(report.all) is not None)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("", no_wrap=True)
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for phase in phases:
        table.add_row(phase.name, *(cell(phase) for _, cell in columns))
    return table


def footer_of(report: Report) -> str:
    """What the table has no room for: the longest latency, and how well the generator kept to its schedule."""
    latency, late = report.all.latency, report.all.late
    if latency is None or late is None:
        return "nothing was answered"
    return f"longest {latency.max_ms:.0f} ms; sent late by {late.p99_ms:.1f} ms at p99, {late.max_ms:.1f} ms at most"
