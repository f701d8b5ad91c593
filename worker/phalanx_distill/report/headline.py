"""The figures beside the verdict, and what each number of students costs, one line each. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_distill.cost import Price
from phalanx_distill.report.blocks import Tile, Tone
from phalanx_distill.report.document import Report
from phalanx_distill.report.sections.accuracy import TONES
from phalanx_distill.report.verdict import budget_of, differences, how_far, standing
from phalanx_distill.report.words import counted, milliseconds, percent, percents, signed

_MOST_LINES: Final = 6


def origin(report: Report) -> str:
    """The line below the title: of what, in which shape, and which artifact it is."""
    parts = [report.source.get("name", "")]
    if report.students:
        shape = counted(len(report.students), "student")
        depth = len(report.students[0].rows)
        parts.append(f"{shape} of {counted(depth, 'row')}" if depth else shape)
    parts.append(f"{report.digest[:19]}…")
    if "phalanx" in report.versions:
        parts.append(f"phalanx {report.versions['phalanx']}")
    return " · ".join(part for part in parts if part)


def tiles(report: Report) -> list[Tile]:
    """Teacher, full ensemble and one student; accuracy, and time where it was taken."""
    accuracy, compared = report.measured.accuracy, differences(report)
    first, full = accuracy.by_k[0], accuracy.by_k[-1]
    found = []
    if accuracy.teacher is not None:
        taught = accuracy.teacher
        found.append(Tile("teacher", percent(taught.accuracy), _timed(report, 0) or percents(taught.low, taught.high)))
    tone = TONES[standing(compared[-1], budget_of(report))] if compared else Tone.PLAIN
    everyone = f"all {counted(full.students, 'student')}"
    found.append(Tile(everyone, percent(full.accuracy), _timed(report, full.students) or percents(full.low, full.high)))
    if compared:
        gap = compared[-1]
        span = f"{signed(gap.low)} to {signed(gap.high)}"
        found.append(Tile("difference, points", signed(gap.value), f"95 % interval {span}", tone))
    if full.students > 1:
        note = _timed(report, 1) or percents(first.low, first.high)
        found.append(Tile("one student", percent(first.accuracy), note))
    return found


def costs_of_k(report: Report) -> list[str]:
    """What is lost when only k < K students answer, the fewest first; of many students a few."""
    compared, accuracy = differences(report), report.measured.accuracy
    most = len(accuracy.by_k)
    if not compared or most < 2:
        return []
    chosen = range(1, most) if most - 1 <= _MOST_LINES else sorted({1, 2, 3, most // 2, 3 * most // 4, most - 1})
    return [_line(report, k, how_far(compared[k - 1])) for k in chosen]


def _line(report: Report, k: int, said: str) -> str:
    own, full = _price(report, k), _price(report, len(report.measured.accuracy.by_k))
    time = "" if own is None or full is None else f", in {own.ms / full.ms:.2f} of the full ensemble's time"
    return f"With {counted(k, 'student')}: {said}{time}."


def _timed(report: Report, students: int) -> str:
    price = _price(report, students)
    return "" if price is None else f"{milliseconds(price.ms)} a text"


def _price(report: Report, students: int) -> Price | None:
    cost = report.notes.cost
    return None if cost is None else next((price for price in cost.prices if price.students == students), None)
