"""A last training of all students together, with the tail of them dropped.

Students that were trained one by one leave small errors that their sum could mend. Each step draws a prefix of k
students (or all prefixes) to the teacher's logits, so that every k stays a predictor. Weights are fitted anew
afterwards.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from phalanx_distill.batches import drawn_students, epoch_batches
from phalanx_distill.boost import mean_square
from phalanx_distill.config import Fitting
from phalanx_distill.corpus import Corpus
from phalanx_distill.fit import Epoch, Task, fit
from phalanx_distill.predict import predict
from phalanx_distill.run import Run
from phalanx_distill.seedlings import own_parameters
from phalanx_distill.students import SAMPLE
from phalanx_distill.targets import centred, label_loss, logit_loss
from phalanx_distill.taught import Taught
from phalanx_distill.weights import matrix_of, weight_row
from phalanx_grid import Grid


@dataclass(frozen=True, slots=True)
class Residuals:
    """The mean squared residual that each prefix leaves, k = 1..K."""

    train: tuple[float, ...]
    validation: tuple[float, ...]


def train_jointly(run: Run, grid: Grid, transfer: Taught, validation: Taught) -> list[Epoch]:
    """Train `grid` in place; the epoch whose prefixes leave the least on validation rows stays."""
    settings, seed = run.settings.students.joint, run.settings.seed
    lengths = transfer.corpus.lengths
    task = Task(
        name="joint",
        title=f"all {grid.geometry.students} students",
        rate="students.joint.learning_rate",
        parameters=own_parameters(grid),
        batches=lambda epoch: epoch_batches(lengths, batch_rows=settings.batch_rows, seed=seed, epoch=epoch),
        loss=lambda epoch, rows: _loss(run, grid, transfer, rows, epoch),
        score=lambda: -statistics.fmean(_left(run, grid, validation)),
    )
    how = Fitting(epochs=settings.epochs, batch_rows=settings.batch_rows, learning_rate=settings.learning_rate)
    history = fit(task, how, seed=seed, stages=run.stages, report=run.report)
    grid.requires_grad_(False)
    return history


def weigh(run: Run, grid: Grid, transfer: Taught, validation: Taught) -> Residuals:
    """Give `grid` the weights that its students as they are deserve, and tell what every prefix leaves."""
    stagewise = grid.weights.diagonal().tolist()
    said = own_answers(run, grid, validation.corpus)
    settings = run.settings.students
    rows = [weight_row(settings, said[:k], validation.logits, stagewise[:k]) for k in range(1, len(said) + 1)]
    grid.weights.copy_(matrix_of(rows))
    sample = transfer.thinned(SAMPLE)
    return Residuals(train=_left(run, grid, sample), validation=_left(run, grid, validation))


def own_answers(run: Run, grid: Grid, corpus: Corpus) -> Tensor:
    """Each student's own centred logits [K, N, C]: what prefixes say when each is its last student alone."""
    kept = grid.weights.clone()
    grid.weights.copy_(torch.eye(len(kept)))
    try:
        return centred(predict(grid, corpus, run.compute).logits)
    finally:
        grid.weights.copy_(kept)


def _loss(run: Run, grid: Grid, transfer: Taught, rows: list[int], epoch: int) -> Tensor:
    """Against the teacher's logits, of one prefix drawn for the batch or of all, whichever is set."""
    settings, compute = run.settings.students, run.compute
    k = grid.geometry.students
    if settings.joint.prefixes == "random":
        k = drawn_students(rows, students=k, seed=run.settings.seed, epoch=epoch)
    grid.train()
    with compute.autocast():
        said = grid(transfer.corpus.batch(rows).to(compute.device), students=k).prefix_logits
    chosen = said if settings.joint.prefixes == "all" else said[-1:]
    loss = logit_loss(chosen, transfer.logits[rows].to(said.device).expand_as(chosen))
    if settings.label_weight:
        labels = transfer.labels[rows].to(said.device)
        loss = loss + settings.label_weight * torch.stack([label_loss(answer, labels) for answer in chosen]).mean()
    return loss


def _left(run: Run, grid: Grid, texts: Taught) -> tuple[float, ...]:
    """The mean squared residual of every prefix."""
    said = centred(predict(grid, texts.corpus, run.compute).logits)
    return tuple(mean_square(texts.logits - answer) for answer in said)
