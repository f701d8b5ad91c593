"""How one student learns: its loss on transfer text and its score on validation rows, as a task to fit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import torch
from torch import Tensor

from phalanx_distill.batches import epoch_batches
from phalanx_distill.boost import best_step, mean_square, residual
from phalanx_distill.compute import Compute
from phalanx_distill.config import Fitting, StudentSettings
from phalanx_distill.fit import Task
from phalanx_distill.predict import predict
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.seedlings import own_parameters
from phalanx_distill.stages import fingerprint
from phalanx_distill.targets import centred, hidden_loss, label_loss, logit_loss
from phalanx_distill.taught import Taught
from phalanx_grid import Grid

APART: Final = frozenset(
    ("count", "rows", "rows_from", "auto", "shrinkage", "weight", "ridge", "min_gain", "fit", "later_epochs", "joint")
)
"""Settings that say nothing about how one student learns but through its start, its targets and its training."""


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
            rate="students.fit.learning_rate",
            parameters=own_parameters(grid, embeddings=self.settings.train_embeddings and self.index == 0),
            batches=lambda epoch: epoch_batches(lengths, batch_rows=rows_of, seed=self.seed, epoch=epoch),
            loss=lambda epoch, rows: self._loss(grid, rows, compute),
            score=lambda: self._score(grid, compute),
        )

    def mark(self, grid: Grid, how: Fitting, compute: Compute) -> str:
        """Stands for all that fitting `grid` depends on: students that have it in common are trained once."""
        settings = msgspec.to_builtins(self.settings)
        taught = self.transfer, self.validation
        return fingerprint(
            algorithm=ALGORITHM,
            kind="student",
            index=self.index,
            seed=self.seed,
            how=how,
            settings={name: value for name, value in settings.items() if name not in APART},
            texts=[each.corpus.ids for each in taught],
            answers=_digest(tensor for each in taught for tensor in (each.logits, each.hidden, each.labels)),
            left=_digest((self.left, self.left_validation)),
            geometry=grid.geometry,
            start=_digest(grid.state_dict().values()),
            dtype=str(compute.dtype),
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


def _digest(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
