"""The figures of one run, from its report."""

from __future__ import annotations

from collections.abc import Iterator

from bench.record import Figure
from phalanx_distill.intervals import paired_difference, wilson
from phalanx_distill.report.document import Report


def figures_of(report: Report) -> dict[str, Figure]:
    """Figures by the last part of their key."""
    accuracy, measured = report.measured.accuracy, report.measured
    teacher = accuracy.teacher
    if teacher is None or not measured.pairs:
        raise ValueError(f"the run {report.fingerprint} was measured without its teacher")
    found = {"teacher": Figure(value=teacher.accuracy, low=teacher.low, high=teacher.high, unit="share")}
    for index, each in enumerate(accuracy.by_k):
        agreeing = round(measured.teacher_agreement[index] * accuracy.rows_evaluated)
        gap, agreement = paired_difference(measured.pairs[index]), wilson(agreeing, accuracy.rows_evaluated)
        left = _left(report, index)
        found |= {
            f"k{each.students}:accuracy": Figure(value=each.accuracy, low=each.low, high=each.high, unit="share"),
            f"k{each.students}:difference": Figure(value=gap.value, low=gap.low, high=gap.high, unit="share"),
            f"k{each.students}:agreement": Figure(
                value=agreement.share, low=agreement.low, high=agreement.high, unit="share"
            ),
            f"k{each.students}:residual": exact(left, "share"),
        }
    together = report.notes.together
    if together is not None:
        found["together"] = Figure(value=together.accuracy, low=together.low, high=together.high, unit="share")
    return found | dict(_facts(report))


def exact(value: float, unit: str) -> Figure:
    """A figure without a spread."""
    return Figure(value=value, low=value, high=value, unit=unit)


def _left(report: Report, index: int) -> float:
    """The share of the teacher's mean square that students up to `index` leave on validation rows."""
    untaught = report.notes.untaught
    whole = untaught.validation if untaught is not None else 0.0
    return report.students[index].validation_residual / whole if whole else 0.0


def _facts(report: Report) -> Iterator[tuple[str, Figure]]:
    yield "students", exact(len(report.students), "students")
    yield "rows", exact(len(report.students[0].rows), "rows")
    yield "teachers", exact(max(len(report.notes.teachers), 1), "teachers")
    yield "held_out", exact(report.measured.accuracy.rows_evaluated, "rows")
    yield "seconds", exact(round(sum(report.seconds.values()), 1), "s")
