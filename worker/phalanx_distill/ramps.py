"""Ramps: linear exits after every row but the last, on frozen students.

A ramp learns the answer of the full depth with the same number of students, because agreement is what an exit is
judged by (Apparate, arXiv 2312.05385, section 3). The cross-entropy is summed over every number of students, so that a
ramp serves whatever k the load leaves.
"""

from __future__ import annotations

import torch
from torch import Tensor

from phalanx_distill.batches import epoch_batches
from phalanx_distill.compute import Compute
from phalanx_distill.corpus import Corpus
from phalanx_distill.fit import Epoch, Task, fit
from phalanx_distill.predict import each_batch
from phalanx_distill.run import Run
from phalanx_grid import Grid, GridOutput
from phalanx_grid.ramps import Ramps


class Features:
    """States that ramps read, pooled: `rows[l]` [K, N, H]; and the full grid's prefix logits [K, N, C]."""

    def __init__(self, grid: Grid, corpus: Corpus, compute: Compute) -> None:
        def take(output: GridOutput, mask: Tensor) -> tuple[Tensor, ...]:
            states = [pooled(state, mask, grid.geometry.pooling) for state in output.hidden[1:-1]]
            return (output.prefix_logits, *states)

        self.final, *self.rows = each_batch(grid, corpus, compute, take, collect_hidden=True)


def pooled(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """States [k, N, S, H] to [k, N, H], as the grid pools its last row."""
    if pooling == "cls":
        return states[:, :, 0]
    share = mask.float() / mask.float().sum(1, keepdim=True)
    return torch.einsum("knsh,ns->knh", states.float(), share)


def train_ramps(run: Run, grid: Grid, transfer: Corpus, validation: Corpus) -> list[Epoch]:
    """Add ramps to `grid` and train them; the epoch that agrees best with the full grid stays."""
    settings, seed = run.settings.ramps, run.settings.seed
    ramps = grid.add_ramps(seed)
    if grid.geometry.rows < 2:
        return []
    texts = transfer.thinned(settings.max_texts)
    features, held_out = Features(grid, texts, run.compute), Features(grid, validation, run.compute)
    lengths = [1] * len(texts)

    task = Task(
        name="ramps",
        title="ramps",
        rate="ramps.fit.learning_rate",
        parameters=dict(ramps.named_parameters()),
        batches=lambda epoch: epoch_batches(lengths, batch_rows=settings.fit.batch_rows, seed=seed, epoch=epoch),
        loss=lambda epoch, rows: _loss(ramps, features, rows, grid.weights),
        score=lambda: _agreement(ramps, held_out, grid.weights),
    )
    history = fit(task, settings.fit, seed=seed, stages=run.stages, report=run.report)
    ramps.requires_grad_(False)
    return history


def _loss(ramps: Ramps, features: Features, rows: list[int], weights: Tensor) -> Tensor:
    """Cross-entropy against the full grid's distribution, summed over rows of the grid and numbers of students."""
    wanted = features.final[:, rows].softmax(-1).to(weights.device)
    total = torch.zeros((), device=weights.device)
    for row, states in enumerate(features.rows):
        said = ramps(row, states[:, rows].to(weights.device), weights).log_softmax(-1)
        total = total - (wanted * said).sum(-1).mean(1).sum()
    return total


@torch.no_grad()
def _agreement(ramps: Ramps, features: Features, weights: Tensor) -> float:
    """The share of answers on which ramps and full grid agree, over all rows and numbers of students."""
    final = features.final.argmax(-1)
    shares = [
        (ramps(row, states.to(weights.device), weights).argmax(-1).cpu() == final).double().mean()
        for row, states in enumerate(features.rows)
    ]
    return float(torch.stack(shares).mean())
