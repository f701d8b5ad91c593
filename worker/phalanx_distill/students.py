"""Boosting: students trained one after the other on what the earlier ones leave of the teacher's logits."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor
from torch.nn import Parameter

from phalanx_distill.batches import epoch_batches
from phalanx_distill.boost import fitted_weight, gain, mean_square, residual
from phalanx_distill.config import Fitting, StudentSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.errors import SettingError
from phalanx_distill.fit import Epoch, Task, fit
from phalanx_distill.predict import Answers, predict
from phalanx_distill.run import Run
from phalanx_distill.targets import HIDDEN_LOSSES, centred, logit_loss
from phalanx_grid import Grid, cut, stack


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """Texts and what the teacher says of them: centred logits [N, C] and pooled states [N, H]."""

    corpus: Corpus
    logits: Tensor
    pooled: Tensor

    @classmethod
    def of(cls, corpus: Corpus, answers: Answers) -> Taught:
        return cls(corpus=corpus, logits=centred(answers.logits[-1]), pooled=answers.pooled[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """One trained student (K=1), its weight a_m, and the mean squared residuals that it left."""

    grid: Grid
    weight: float
    start: int
    history: list[Epoch]
    train_residual: float
    validation_residual: float


class Booster:
    """The residual as it shrinks from student to student."""

    def __init__(self, run: Run, teacher: Grid, transfer: Taught, validation: Taught) -> None:
        self.teacher, self.transfer, self.validation = teacher, transfer, validation
        self.settings, self.seed, self.compute = run.settings.students, run.settings.seed, run.compute
        self.stages, self.report = run.stages, run.report
        self.left = transfer.logits
        self.left_validation = validation.logits

    def run(self) -> list[Student]:
        """Add students until there are enough, or until one gains too little (that one is left out)."""
        students: list[Student] = []
        while len(students) < self.settings.count:
            before = mean_square(self.left_validation)
            student = self._next(len(students))
            if students and gain(before, student.validation_residual) < self.settings.min_gain:
                self.report.say(f"student {len(students) + 1} gained too little: {len(students)} students it is")
                break
            students.append(student)
        return students

    def _next(self, index: int) -> Student:
        start = first_row(self.settings, index)
        grid = seedling(self.teacher, start=start, rows=self.settings.rows, silent=index > 0)
        grid.dropout = self.settings.dropout
        task, seed = self._task(grid, index), self.seed + 1 + index
        history = fit(task, fitting(self.settings, index), seed=seed, stages=self.stages, report=self.report)
        grid.requires_grad_(False)
        said = centred(predict(grid, self.transfer.corpus, self.compute).logits[-1])
        said_validation = centred(predict(grid, self.validation.corpus, self.compute).logits[-1])
        weight = self._weight(said, said_validation)
        self.left = residual(self.left, said, weight)
        self.left_validation = residual(self.left_validation, said_validation, weight)
        return Student(
            grid=grid,
            weight=weight,
            start=start,
            history=history,
            train_residual=mean_square(self.left),
            validation_residual=mean_square(self.left_validation),
        )

    def _weight(self, said: Tensor, said_validation: Tensor) -> float:
        """Fitted on validation rows, but never beyond what transfer text supports: so its residual cannot grow."""
        if self.settings.weight == "one":
            return 1.0
        return min(fitted_weight(self.left_validation, said_validation), fitted_weight(self.left, said))

    def _task(self, grid: Grid, index: int) -> Task:
        lengths, rows_of = self.transfer.corpus.lengths, self.settings.fit.batch_rows
        target, pooled = self.left.to(self.compute.device), self.transfer.pooled
        hidden_loss, share = HIDDEN_LOSSES[self.settings.hidden], self.settings.hidden_weight

        def loss(epoch: int, rows: list[int]) -> Tensor:
            grid.train()
            with self.compute.autocast():
                output = grid(self.transfer.corpus.batch(rows).to(self.compute.device))
            hidden = hidden_loss(output.pooled[-1], pooled[rows].to(self.compute.device))
            return logit_loss(output.prefix_logits[-1], target[rows]) + share * hidden

        def score() -> float:
            said = centred(predict(grid, self.validation.corpus, self.compute).logits[-1])
            return -mean_square(residual(self.left_validation, said, fitted_weight(self.left_validation, said)))

        return Task(
            name=f"student-{index}",
            title=f"student {index + 1} of {self.settings.count}",
            parameters=own_parameters(grid),
            batches=lambda epoch: epoch_batches(lengths, batch_rows=rows_of, seed=self.seed + 1 + index, epoch=epoch),
            loss=loss,
            score=score,
        )


def fitting(settings: StudentSettings, index: int) -> Fitting:
    """How student `index` is trained."""
    return settings.fit if index == 0 else msgspec.structs.replace(settings.fit, epochs=settings.later_epochs)


def first_row(settings: StudentSettings, index: int) -> int:
    """The teacher's row from which student `index` starts."""
    return settings.starts[min(index, len(settings.starts) - 1)]


def check_starts(settings: StudentSettings, teacher_rows: int) -> None:
    """Raises SettingError if a student would start beyond the teacher's last row."""
    for start in settings.starts:
        if start + settings.rows > teacher_rows:
            message = f"rows {start}..{start + settings.rows - 1} of a teacher that has 0..{teacher_rows - 1}"
            raise SettingError("students.starts", message)


def seedling(teacher: Grid, *, start: int, rows: int, silent: bool) -> Grid:
    """An untrained student: rows of the fine-tuned teacher, and its head.

    A `silent` one has a zero head: it starts from the residual as it is, so it can only lower it.
    """
    grid = cut(teacher, rows=range(start, start + rows))
    if silent:
        with torch.no_grad():
            grid.readout.head.weight.zero_()
            grid.readout.head.bias.zero_()
    return grid


def own_parameters(grid: Grid) -> dict[str, Parameter]:
    """What a student trains: everything but the embeddings, which all students share."""
    grid.requires_grad_(False)
    return {name: value for name, value in grid.named_parameters() if not name.startswith("embeddings.")}


def ensemble(students: list[Student]) -> Grid:
    """The students side by side, with their weights."""
    return stack([student.grid for student in students], [student.weight for student in students])
