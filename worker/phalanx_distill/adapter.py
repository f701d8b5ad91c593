"""Training a tenant's adapter: low-rank deltas and a head of its own on a frozen grid.

Every batch uses the first k students for a k drawn anew (tail dropping), so that the adapter serves whatever number of
students the load leaves.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from phalanx_distill.batches import drawn_students, epoch_batches
from phalanx_distill.compute import Compute
from phalanx_distill.config import AdaptSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.fit import Epoch, Task, fit
from phalanx_distill.predict import predict
from phalanx_distill.progress import Reporter
from phalanx_distill.stages import Stages
from phalanx_grid import Grid, LoraAdapter


def train_adapter(
    grid: Grid,
    adapter: LoraAdapter,
    train: tuple[Corpus, Tensor],
    validation: tuple[Corpus, Tensor],
    settings: AdaptSettings,
    *,
    compute: Compute,
    stages: Stages,
    report: Reporter,
) -> list[Epoch]:
    """Train in place with cross-entropy; the epoch with the best mean accuracy over all k stays.

    `train` and `validation` are texts and class indices int64 [N].
    """
    grid.requires_grad_(False).eval()
    corpus, targets = train[0], train[1].to(compute.device)
    held_out, expected = validation

    def loss(epoch: int, rows: list[int]) -> Tensor:
        k = drawn_students(rows, students=grid.geometry.students, seed=settings.seed, epoch=epoch)
        with compute.autocast():
            output = grid(corpus.batch(rows).to(compute.device), students=k, adapter=adapter)
        return F.cross_entropy(output.prefix_logits[-1].float(), targets[rows])

    task = Task(
        name="adapter",
        title="adapter",
        rate="fit.learning_rate",
        parameters=dict(adapter.named_parameters()),
        batches=lambda epoch: epoch_batches(
            corpus.lengths, batch_rows=settings.fit.batch_rows, seed=settings.seed, epoch=epoch
        ),
        loss=loss,
        score=lambda: _mean_accuracy(predict(grid, held_out, compute, adapter=adapter).logits, expected),
    )
    history = fit(task, settings.fit, seed=settings.seed, stages=stages, report=report)
    adapter.requires_grad_(False)
    return history


def _mean_accuracy(logits: Tensor, expected: Tensor) -> float:
    return float((logits.argmax(-1) == expected).to(torch.float64).mean())
