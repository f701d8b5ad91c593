"""From a trained and measured ensemble to its artifact and its report."""

from __future__ import annotations

from pathlib import Path

import msgspec

from phalanx_distill import provenance
from phalanx_distill.evaluate import Measured
from phalanx_distill.report.document import Report, StudentReport
from phalanx_distill.report.write import write_all
from phalanx_distill.run import Run
from phalanx_distill.students import Student
from phalanx_grid import Grid, Tokenizer, save_artifact


def save_ensemble(
    run: Run, grid: Grid, tokenizer: Tokenizer, students: list[Student], measured: Measured, *, transfer: int, out: Path
) -> Report:
    """Write artifact and report; `transfer` is the number of transfer texts.

    Raises:
        ArtifactError: the output folder was filled with something else meanwhile.
    """
    teacher = {"name": run.sources.teacher.name, "sha256": run.sources.teacher.sha256}
    settings = msgspec.to_builtins(run.settings)
    facts = msgspec.structs.replace(run.prepared.facts, transfer=transfer)
    origin = provenance.of(run.mark, teacher=teacher, data=msgspec.to_builtins(facts), settings=settings)
    digest = save_artifact(out, grid.cpu(), tokenizer, provenance=origin, accuracy=measured.accuracy)
    report = Report(
        kind="ensemble",
        fingerprint=run.mark,
        digest=digest,
        source=teacher,
        data=facts,
        labels=grid.labels,
        settings=settings,
        measured=measured,
        curves=run.curves,
        students=[_student(student) for student in students],
        seconds=run.clock.seconds,
        versions=provenance.versions(),
    )
    write_all(out, report)
    return report


def _student(student: Student) -> StudentReport:
    return StudentReport(
        start=student.start,
        weight=student.weight,
        train_residual=student.train_residual,
        validation_residual=student.validation_residual,
        history=student.history,
    )
