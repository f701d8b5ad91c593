"""How one student learns: its loss on transfer text and its score on validation rows, as a task to fit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phalanx_distill.batches import epoch_batches
from phalanx_distill.boost import best_step, mean_square, residual
from phalanx_distill.compute import Compute
from phalanx_distill.config import StudentSettings
from phalanx_distill.fit import Task
from phalanx_distill.predict import predict
from phalanx_distill.seedlings import own_parameters
from phalanx_distill.targets import centred, hidden_loss, label_loss, logit_loss
from phalanx_distill.taught import Taught
from phalanx_grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What student `index` is taught: `left` of transfer text and `left_validation` [N, C] are its targets."""

    index: int
    settings: StudentSettings
    transfer: Taught
    validation: Taught
    left: Tensor
    left_validation: Tensor
    seed: int

    def task(self, grid: Grid, compute: Compute, *, name: str, title: str) -> Task:
        """The task of fitting `grid`, a single student."""
        lengths, rows_of = self.transfer.corpus.lengths, self.settings.fit.batch_rows
        return Task(
            name=name,
            title=title,
            parameters=own_parameters(grid, embeddings=self.settings.train_embeddings and self.index == 0),
            batches=lambda epoch: epoch_batches(lengths, batch_rows=rows_of, seed=self.seed, epoch=epoch),
            loss=lambda epoch, rows: self._loss(grid, rows, compute),
            score=lambda: self._score(grid, compute),
        )

    def _loss(self, grid: Grid, rows: list[int], compute: Compute) -> Tensor:
        grid.train()
        with compute.autocast():
            output = grid(self.transfer.corpus.batch(rows).to(compute.device))
        said = output.prefix_logits[-1]
        loss = logit_loss(said, self.left[rows].to(compute.device))
        if len(self.transfer.hidden):
            states = self.transfer.hidden[min(self.index, len(self.transfer.hidden) - 1)]
            loss = loss + self.settings.hidden_weight * hidden_loss(output.pooled[-1], states[rows].to(compute.device))
        if self.settings.label_weight:
            loss = loss + self.settings.label_weight * self._label_loss(said, torch.tensor(rows))
        return loss

    def _label_loss(self, said: Tensor, rows: Tensor) -> Tensor:
        """Labels are for the sum: with what earlier students have taken off the teacher's logits."""
        before = self.transfer.logits[rows] - self.left[rows]
        return label_loss(said + before.to(said.device), self.transfer.labels[rows].to(said.device))

    def _score(self, grid: Grid, compute: Compute) -> float:
        said = centred(predict(grid, self.validation.corpus, compute).logits[-1])
        step = 1.0 if self.settings.target == "teacher" else best_step(self.left_validation, said)
        return -mean_square(residual(self.left_validation, said, step))
