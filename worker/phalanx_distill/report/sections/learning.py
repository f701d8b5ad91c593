"""How training went: curves, what the students left of the teacher, and what each counts."""

from __future__ import annotations

from phalanx_distill.report.blocks import Block, Figure, Prose, Section, Table, row
from phalanx_distill.report.charts.learning import curves_of, learning_chart, residual_chart
from phalanx_distill.report.document import Report, StudentReport
from phalanx_distill.report.words import counted, percent

_MOST_WEIGHTS = 12
"""Beyond so many students only the last line of the weights is shown."""


def learning_section(report: Report) -> Section:
    """Curves always, residuals and weights of an ensemble."""
    blocks: list[Block] = [_curves(report)]
    if report.students:
        blocks += [_residuals(report), _table(report)]
        if report.notes.prefix_weights:
            blocks.append(_weights(report.notes.prefix_weights))
        blocks += _overfit(report.students)
    return Section("learning", "Learning", tuple(blocks))


def _curves(report: Report) -> Figure:
    said = []
    for curve in curves_of(report.curves):
        best = max(curve.history, key=lambda entry: entry.score)
        score = percent(best.score) if curve.is_share else f"{-best.score:.3f}"
        said.append(f"{curve.title}: {counted(len(curve.history), 'epoch')}, the best {best.epoch + 1} with {score}")
    if report.students:
        said.append(f"{counted(len(report.students), 'student')}, one after the other")
    caption = (
        "Grey: training loss. Blue: on validation rows, by epoch; the ring is the epoch that was kept."
        + (" The teacher's score is accuracy," if "teacher" in report.curves else "")
        + (" the ramps' is agreement with full depth." if report.curves.get("ramps") else "")
    ).rstrip(",")
    return Figure(
        learning_chart(report.curves, report.students),
        "Learning curves. " + "; ".join(said) + ".",
        caption if caption.endswith(".") else f"{caption}.",
    )


def _residuals(report: Report) -> Figure:
    first, last = report.students[0], report.students[-1]
    alt = (
        f"The mean squared residual on validation rows goes from {first.validation_residual:.3f} after the first"
        f" student to {last.validation_residual:.3f} after the last."
    )
    caption = "The mean square of the teacher's centred logits less the ensemble's, by number of students."
    if report.notes.untaught is not None:
        before = report.notes.untaught.validation
        caption += f" Before the first student it is {before:.2f} on validation rows."
    return Figure(residual_chart(report.students), alt, caption)


def _table(report: Report) -> Table:
    untaught = report.notes.untaught
    head = ["student", "starts from rows", "weight", "epochs", "left, transfer text", "left, validation"]
    rows = []
    for index, student in enumerate(report.students, start=1):
        cells = [str(index), rows_of(report, student), f"{student.weight:.3f}", str(len(student.history))]
        cells += [f"{student.train_residual:.4f}", f"{student.validation_residual:.4f}"]
        if untaught is not None:
            cells.append(percent(1 - student.validation_residual / untaught.validation) if untaught.validation else "–")
        rows.append(row(*cells))
    if untaught is not None:
        head.append("explained, validation")
    note = "Rows of the teacher count from 0. What is left is measured with the students up to this one."
    return Table("Students", tuple(head), tuple(rows), words=frozenset({0, 1}), note=note)


def rows_of(report: Report, student: StudentReport) -> str:
    """The teacher's rows from which a student starts."""
    chosen = student.rows or (student.start,)
    if list(chosen) == list(range(chosen[0], chosen[0] + len(chosen))) and len(chosen) > 1:
        return f"{chosen[0]} to {chosen[-1]}"
    text = ", ".join(map(str, chosen))
    return text if student.rows else f"{text} on"


def _weights(matrix: list[list[float]]) -> Table:
    students = len(matrix)
    shown = range(students) if students <= _MOST_WEIGHTS else [students - 1]
    return Table(
        "What each student counts when k of them answer",
        ("k", *(f"student {m}" for m in range(1, students + 1))),
        tuple(
            row(str(k + 1), *(f"{weight:.3f}" for weight in matrix[k]), *["–"] * (students - len(matrix[k])))
            for k in shown
        ),
    )


def _overfit(students: list[StudentReport]) -> list[Block]:
    """A word where later students go on to fit the transfer text and validation rows get nothing of it."""
    best = min(range(len(students)), key=lambda at: students[at].validation_residual)
    if best == len(students) - 1:
        return []
    later, kept = students[-1], students[best]
    if later.train_residual >= kept.train_residual:
        return []
    return [
        Prose(
            f"After student {best + 1} the residual goes on to fall on transfer text but no longer on validation rows:"
            " what later students learn does not carry over to other texts. Fewer students, or more text, may do."
        )
    ]
