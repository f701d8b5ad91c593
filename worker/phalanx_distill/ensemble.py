"""From the teacher's answers to the ensemble: students one by one, as many as it takes, and if wanted all at once."""

from __future__ import annotations

from dataclasses import dataclass

from phalanx_distill.auto import Tried, choose
from phalanx_distill.joint import Residuals, train_jointly, weigh
from phalanx_distill.run import Run
from phalanx_distill.students import Student, Students
from phalanx_distill.taught import Taught
from phalanx_distill.teacher import label_indices
from phalanx_grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """The grid of all students, what each was when it was trained, and what every prefix leaves of the teacher."""

    grid: Grid
    students: tuple[Student, ...]
    residuals: Residuals
    tried: tuple[Tried, ...] = ()


def train_ensemble(run: Run, teacher: Grid, transfer: Taught, validation: Taught) -> Ensemble:
    """Train students in the shape that is set, or in the one that is found to be enough."""
    settings = run.settings.students
    if settings.count == "auto" or settings.rows == "auto":
        expected = label_indices(teacher.labels, run.prepared.parts.validation)
        chosen = choose(run, teacher, transfer, validation, expected)
        students, count, tried = chosen.students, chosen.count, chosen.tried
    else:
        students, tried = Students(run, teacher, transfer, validation, depth=settings.rows), ()
        count = len(list(students.grow(settings.count)))
    grid = students.ensemble(count).to(run.compute.device)
    trained = tuple(students.trained[:count])
    residuals = Residuals(
        train=tuple(student.train_residual for student in trained),
        validation=tuple(student.validation_residual for student in trained),
    )
    if settings.joint.epochs:
        run.curves["joint"] = train_jointly(run, grid, transfer, validation)
        residuals = weigh(run, grid, transfer, validation)
    return Ensemble(grid=grid, students=trained, residuals=residuals, tried=tried)
