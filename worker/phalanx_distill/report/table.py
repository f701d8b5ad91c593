"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from phalanx_distill.report.document import Report
from phalanx_grid import Accuracy


def summary(report: Report) -> RenderableType:
    """Accuracy for the teacher and every number of students, a line on the data, and what the run warned of."""
    data = report.data
    line = (
        f"{data.name}: {data.train} training, {data.validation} validation, {data.test} test rows"
        f" ({data.repeats} repeats and {data.contradictions} contradictions left out)"
        + (f", {data.transfer} transfer texts" if data.transfer else "")
    )
    table = accuracy_table(report.measured.accuracy, teacher_agreement=report.measured.teacher_agreement)
    parts: list[RenderableType] = [Text(line, style="dim"), table]
    if report.measured.ramps:
        parts.append(_ramps(report))
    parts += [Text(f"warning: {line}", style="yellow") for line in report.notes.warnings]
    return Group(*parts)


def accuracy_table(accuracy: Accuracy, *, teacher_agreement: tuple[float, ...] = ()) -> Table:
    """One line for each number of students, the teacher first."""
    table = Table(title=f"Accuracy on {accuracy.rows_evaluated} held-out rows", title_justify="left")
    table.add_column("students")
    for name in ("accuracy", "95 % interval", "agrees with all"):
        table.add_column(name, justify="right")
    if teacher_agreement:
        table.add_column("with teacher", justify="right")
    if accuracy.teacher is not None:
        teacher = accuracy.teacher
        table.add_row("teacher", f"{teacher.accuracy:.3f}", f"{teacher.low:.3f} .. {teacher.high:.3f}", style="green")
    for index, entry in enumerate(accuracy.by_k):
        cells = [str(entry.students), f"{entry.accuracy:.3f}", f"{entry.low:.3f} .. {entry.high:.3f}"]
        cells.append(f"{entry.agreement:.3f}")
        if teacher_agreement:
            cells.append(f"{teacher_agreement[index]:.3f}")
        table.add_row(*cells)
    return table


def _ramps(report: Report) -> Table:
    table = Table(title="Ramps: accuracy and agreement with the full depth", title_justify="left")
    table.add_column("after row")
    for name in ("students", "accuracy", "agreement"):
        table.add_column(name, justify="right")
    for entry in report.measured.ramps:
        table.add_row(str(entry.row), str(entry.students), f"{entry.accuracy:.3f}", f"{entry.agreement:.3f}")
    return table
