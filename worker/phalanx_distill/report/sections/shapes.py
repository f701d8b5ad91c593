"""The shapes that were tried."""

from __future__ import annotations

from phalanx_distill.report.blocks import Row, Section, Table, Tone, row
from phalanx_distill.report.document import Candidate, Report
from phalanx_distill.report.verdict import budget_of
from phalanx_distill.report.words import points, seconds, signed


def shapes_section(report: Report) -> Section | None:
    """A table of candidates, if the shape was searched for."""
    if not report.candidates:
        return None
    table = Table(
        "Shapes in the order in which they were tried",
        ("students K", "rows L", "against the teacher, points", "training", ""),
        tuple(_row(candidate) for candidate in report.candidates),
        words=frozenset({4}),
        note="On validation rows, which also chose epochs and weights; the held-out rows above have the last word."
        f" The search ends at the first shape within {points(budget_of(report))}, or takes the closest.",
    )
    return Section("shapes", "Shapes that were tried", (table,))


def _row(candidate: Candidate) -> Row:
    return row(
        str(candidate.students),
        str(candidate.rows),
        signed(-candidate.validation_gap),
        seconds(candidate.seconds),
        "chosen" if candidate.chosen else "",
        tone=Tone.STRONG if candidate.chosen else Tone.PLAIN,
    )
