"""From a trained and measured ensemble to its artifact and its report."""

from __future__ import annotations

from pathlib import Path

import msgspec

from phalanx_distill import provenance
from phalanx_distill.ensemble import Ensemble
from phalanx_distill.evaluate import Measured
from phalanx_distill.report.document import Candidate, Notes, Report, StudentReport
from phalanx_distill.report.write import write_all
from phalanx_distill.run import Run
from phalanx_grid import Tokenizer, read_manifest, save_artifact


def save_ensemble(
    run: Run, ensemble: Ensemble, tokenizer: Tokenizer, measured: Measured, *, transfer: int, out: Path
) -> Report:
    """Write artifact and report; `transfer` is the number of transfer texts.

    Raises:
        ArtifactError: the output folder was filled with something else meanwhile.
    """
    teacher = {"name": run.sources.teacher.name, "sha256": run.sources.teacher.sha256}
    settings = msgspec.to_builtins(run.settings)
    facts = msgspec.structs.replace(run.prepared.facts, transfer=transfer)
    origin = provenance.of(run.mark, teacher=teacher, data=msgspec.to_builtins(facts), settings=settings)
    digest = save_artifact(out, ensemble.grid.cpu(), tokenizer, provenance=origin, accuracy=measured.accuracy)
    report = Report(
        kind="ensemble",
        fingerprint=run.mark,
        digest=digest,
        source=teacher,
        data=facts,
        labels=ensemble.grid.labels,
        settings=settings,
        measured=measured,
        curves=run.curves,
        students=_students(ensemble),
        seconds=run.clock.seconds,
        versions=provenance.versions(),
        files={name: entry.sha256 for name, entry in read_manifest(out)[0].files.items()},
        notes=_noted(run, ensemble),
    )
    write_all(out, report)
    return report


def _students(ensemble: Ensemble) -> list[StudentReport]:
    return [
        StudentReport(
            start=student.rows[0],
            rows=student.rows,
            weight=float(ensemble.grid.weights[-1, index]),
            train_residual=ensemble.residuals.train[index],
            validation_residual=ensemble.residuals.validation[index],
            history=student.history,
        )
        for index, student in enumerate(ensemble.students)
    ]


def _noted(run: Run, ensemble: Ensemble) -> Notes:
    """What the students' training tells beside curves and residuals."""
    notes, grid = run.notes, ensemble.grid
    if run.settings.students.searched:
        notes.accuracy_budget = run.settings.students.auto.accuracy_budget
    notes.prefix_weights = [row[: k + 1] for k, row in enumerate(grid.weights.tolist())]
    notes.candidates = [
        Candidate(
            students=shape.students,
            rows=shape.rows,
            validation_gap=-shape.difference.value,
            chosen=(shape.rows, shape.students) == (grid.geometry.rows, grid.geometry.students),
            seconds=shape.seconds,
        )
        for shape in ensemble.tried
    ]
    return notes
