"""Accuracy by number of students."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx_distill.intervals import Difference, mcnemar
from phalanx_distill.report.blocks import Block, Cell, Figure, Prose, Row, Section, Table, Tone, row
from phalanx_distill.report.charts.accuracy import accuracy_chart
from phalanx_distill.report.document import Report
from phalanx_distill.report.verdict import Standing, budget_of, differences, standing
from phalanx_distill.report.words import count, percent, percents, points, probability, signed
from phalanx_grid import StudentAccuracy

TONES = {
    Standing.KEPT: Tone.GOOD,
    Standing.KEPT_PERHAPS: Tone.UNSURE,
    Standing.MISSED_PERHAPS: Tone.UNSURE,
    Standing.MISSED: Tone.BAD,
    Standing.UNKNOWN: Tone.PLAIN,
}


def accuracy_section(report: Report) -> Section:
    """The drawing, and the table with every figure in it."""
    compared = differences(report)
    blocks: list[Block] = [_figure(report, compared), _table(report, compared)]
    if report.measured.accuracy.teacher is not None and not compared:
        blocks.append(
            Prose("On which rows teacher and students differ was not recorded by the release that made this.")
        )
    return Section("accuracy", "Accuracy by number of students", tuple(blocks))


def _figure(report: Report, compared: Sequence[Difference]) -> Figure:
    accuracy = report.measured.accuracy
    alt = "Accuracy: " + ", ".join(f"{percent(entry.accuracy)} with {entry.students}" for entry in accuracy.by_k)
    if accuracy.teacher is not None:
        alt += f"; the teacher {percent(accuracy.teacher.accuracy)}"
    band = " and band" if accuracy.teacher is not None else ""
    caption = f"{count(accuracy.rows_evaluated)} held-out rows; bars{band}: 95 % intervals (Wilson)."
    if compared:
        caption += " The difference is taken on the same rows, so it is surer than the two bars beside each other."
    return Figure(accuracy_chart(report.measured, compared, budget_of(report)), f"{alt}.", caption)


def _table(report: Report, compared: Sequence[Difference]) -> Table:
    accuracy, agreement = report.measured.accuracy, report.measured.teacher_agreement
    head = ["students", "accuracy", "95 % interval", "same as all students"]
    if agreement:
        head.append("same as teacher")
    if compared:
        head += ["against the teacher, points", "95 % interval", "p"]
    rows: list[Row] = []
    if accuracy.teacher is not None:
        taught = accuracy.teacher
        first = ("teacher", percent(taught.accuracy), percents(taught.low, taught.high))
        rows.append(row(*first, *["–"] * (len(head) - len(first)), tone=Tone.STRONG))
    if report.notes.together is not None:
        mean = report.notes.together
        first = (
            f"mean of {len(report.notes.teachers)} teachers",
            percent(mean.accuracy),
            percents(mean.low, mean.high),
        )
        rows.append(row(*first, *["–"] * (len(head) - len(first))))
    for index, entry in enumerate(accuracy.by_k):
        cells = _cells(entry)
        if agreement:
            cells.append(Cell(percent(agreement[index])))
        if compared:
            cells += _compared(report, compared[index], index)
        rows.append(Row(tuple(cells)))
    caption = "Accuracy, agreement and difference to the teacher" if compared else "Accuracy and agreement"
    return Table(caption, tuple(head), tuple(rows), note=_note(report))


def _cells(entry: StudentAccuracy) -> list[Cell]:
    texts = (str(entry.students), percent(entry.accuracy), percents(entry.low, entry.high), percent(entry.agreement))
    return [Cell(text) for text in texts]


def _compared(report: Report, difference: Difference, index: int) -> list[Cell]:
    tone = TONES[standing(difference, budget_of(report))]
    return [
        Cell(signed(difference.value), tone=tone),
        Cell(f"{signed(difference.low)} to {signed(difference.high)}"),
        Cell(probability(mcnemar(report.measured.pairs[index]))),
    ]


def _note(report: Report) -> str:
    if not report.measured.pairs:
        return ""
    return (
        "Differences are paired (Newcombe 1998, method 10); p is McNemar's mid-p value for students and teacher being"
        f" equally accurate. Green: the whole interval is within the budget of {points(budget_of(report))}; red: it is"
        " beyond it; amber: the budget lies within the interval."
        + (
            " Students learned the mean of the teachers; the teacher is the first of them."
            if report.notes.teachers
            else ""
        )
    )
