"""The students: trained one after the other, each prefix of them a predictor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import torch
from torch import Tensor

from phalanx_distill.boost import best_step, gain, mean_square, residual
from phalanx_distill.config import Fitting, StudentSettings
from phalanx_distill.errors import SettingError
from phalanx_distill.fit import Epoch, fit
from phalanx_distill.learning import Lesson
from phalanx_distill.lock import locked
from phalanx_distill.predict import predict
from phalanx_distill.run import Run
from phalanx_distill.seedlings import rows_of, seedling
from phalanx_distill.stages import Stages
from phalanx_distill.targets import centred
from phalanx_distill.taught import Taught
from phalanx_distill.weights import matrix_of, weight_row
from phalanx_grid import Grid, stack

SAMPLE: Final = 4_000
"""Transfer texts on which residuals are measured where students are not boosted on all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """One trained student (K=1) and the mean squared residuals that the prefix which it ends leaves.

    `rows` are the teacher's that it started from, `step` what was taken off the residual, `answers` [N, C] its centred
    logits on validation rows, `weights` [k] the row of the prefix weights.
    """

    grid: Grid
    rows: tuple[int, ...]
    step: float
    history: list[Epoch]
    answers: Tensor
    weights: Tensor
    train_residual: float
    validation_residual: float


class Students:
    """Students of one depth as they are trained; `left` is what boosting has left over of the teacher's logits."""

    def __init__(self, run: Run, teacher: Grid, transfer: Taught, validation: Taught, *, depth: int) -> None:
        self.run, self.teacher, self.validation, self.depth = run, teacher, validation, depth
        self.settings: StudentSettings = run.settings.students
        self.boosted = self.settings.target == "residual"
        self.transfer, self.heard = transfer, transfer if self.boosted else transfer.thinned(SAMPLE)
        self.left, self.left_validation = transfer.logits, validation.logits
        self.trained: list[Student] = []
        self._said: list[Tensor] = []

    def grow(self, most: int) -> Iterator[Student]:
        """Train up to `most` students, one with each step; ends early when one gains too little (it is left out)."""
        while len(self.trained) < most:
            before = self.trained[-1].validation_residual if self.trained else mean_square(self.validation.logits)
            student = self._next(len(self.trained), most)
            least = self.settings.min_gain
            if self.trained and least and gain(before, student.validation_residual) < least:
                said = f"student {len(self.trained) + 1} gained too little: {len(self.trained)} students it is"
                self.run.report.say(said)
                return
            self.trained.append(student)
            yield student

    def ensemble(self, count: int | None = None) -> Grid:
        """The first `count` students side by side (all by default), with their prefix weights."""
        chosen = self.trained[:count]
        return stack([student.grid for student in chosen], matrix_of([student.weights for student in chosen]))

    def answers(self, count: int) -> Tensor:
        """The first `count` students' sum on validation rows, centred logits [N, C]."""
        said = torch.stack([student.answers for student in self.trained[:count]])
        return torch.einsum("m,mnc->nc", self.trained[count - 1].weights, said)

    def _next(self, index: int, most: int) -> Student:
        rows = rows_of(self.settings, index, depth=self.depth, teacher_rows=self.teacher.geometry.rows)
        shared = self.trained[0].grid.embeddings.state_dict() if self.trained else None
        grid = seedling(self.teacher, rows, silent=self.boosted and index > 0, embeddings=shared)
        history = self._train(grid, index, most)
        said = centred(predict(grid, self.heard.corpus, self.run.compute).logits[-1])
        said_validation = centred(predict(grid, self.validation.corpus, self.run.compute).logits[-1])
        step = self._step(said, said_validation)
        if self.boosted:
            self.left = residual(self.left, said, step)
            self.left_validation = residual(self.left_validation, said_validation, step)
        return self._measured(grid, rows, step, history, said, said_validation)

    def _train(self, grid: Grid, index: int, most: int) -> list[Epoch]:
        settings, seed = self.settings, self.run.settings.seed + 1 + index
        grid.dropout = settings.dropout
        lesson = Lesson(index, settings, self.transfer, self.validation, self.left, self.left_validation, seed)
        name = f"student-{index}" if settings.rows != "auto" else f"rows-{self.depth}-student-{index}"
        title = f"student {index + 1} of {most}" + ("" if settings.rows != "auto" else f", {self.depth} rows")
        how = fitting(settings, index, grid.geometry.hidden)
        with self._stages(lesson, grid, how) as stages:
            task = lesson.task(
                grid, self.run.compute, name=name if stages is self.run.stages else "student", title=title
            )
            history = fit(task, how, seed=seed, stages=stages, report=self.run.report)
        grid.requires_grad_(False)
        grid.dropout = 0.0
        return history

    @contextmanager
    def _stages(self, lesson: Lesson, grid: Grid, how: Fitting) -> Iterator[Stages]:
        """Where its snapshots are: with the run's, or where other runs that train the same student find them."""
        if self.run.kept is None:
            yield self.run.stages
            return
        stages = Stages(self.run.kept, lesson.mark(grid, how, self.run.compute))
        with locked(stages.folder, waiting=lambda: self.run.report.say("waiting for the run that trains this student")):
            stages.open(shared=True)
            yield stages

    def _step(self, said: Tensor, said_validation: Tensor) -> float:
        """Fitted on validation rows, but never beyond what transfer text supports: so its residual cannot grow."""
        if not self.boosted or self.settings.weight == "one":
            return self.settings.shrinkage
        return self.settings.shrinkage * min(
            best_step(self.left_validation, said_validation), best_step(self.left, said)
        )

    def _measured(
        self, grid: Grid, rows: tuple[int, ...], step: float, history: list[Epoch], said: Tensor, on_validation: Tensor
    ) -> Student:
        """The student with its prefix's weights and residuals."""
        steps = [*(student.step for student in self.trained), step]
        answers = torch.stack([*(student.answers for student in self.trained), on_validation])
        weights = weight_row(self.settings, answers, self.validation.logits, steps)
        self._said = [*self._said[: len(self.trained)], said]
        summed = sum((weight * answer for weight, answer in zip(weights, self._said, strict=True)), torch.zeros(()))
        return Student(
            grid=grid,
            rows=rows,
            step=step,
            history=history,
            answers=on_validation,
            weights=weights,
            train_residual=mean_square(self.heard.logits - summed),
            validation_residual=mean_square(self.validation.logits - torch.einsum("m,mnc->nc", weights, answers)),
        )


def fitting(settings: StudentSettings, index: int, hidden: int) -> Fitting:
    """How student `index` of an encoder with so many dimensions is trained."""
    fit = settings.fit.of_width(hidden)
    if index == 0 or not settings.later_epochs:
        return fit
    return msgspec.structs.replace(fit, epochs=settings.later_epochs)


def check_students(settings: StudentSettings, teacher_rows: int) -> None:
    """Raises SettingError if settings do not go together, or do not fit the teacher."""
    if settings.target == "teacher" and settings.weight == "stagewise":
        raise SettingError("students.weight", "stagewise weights need students.target=residual; use fitted or mean")
    if settings.rows == "auto":
        depths = [depth for depth in range(1, settings.auto.max_rows + 1) if depth <= teacher_rows]
    else:
        depths = [settings.rows]
    count = settings.auto.max_count if settings.count == "auto" else settings.count
    for depth in depths:
        for index in range(count):
            rows_of(settings, index, depth=depth, teacher_rows=teacher_rows)
