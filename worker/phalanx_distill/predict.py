"""What a grid answers to a whole corpus, computed in batches of similar length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from phalanx_distill.batches import by_length
from phalanx_distill.compute import Compute
from phalanx_distill.corpus import Corpus
from phalanx_grid import Grid, GridOutput, LoraAdapter

BATCH_ROWS = 128
"""Texts in a batch when nothing is trained: large enough for full matrix products."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """`logits` float32 [K, N, C], the sums over the first 1..K students; `pooled` float32 [K, N, H]. On the host."""

    logits: Tensor
    pooled: Tensor


def predict(
    grid: Grid,
    corpus: Corpus,
    compute: Compute,
    *,
    adapter: LoraAdapter | None = None,
    done: Callable[[int], None] = lambda rows: None,
) -> Answers:
    """Answers to all texts, in the corpus' order. `done` is told the number of texts after each batch."""
    parts = each_batch(grid, corpus, compute, lambda output, _: (output.prefix_logits, output.pooled), adapter, done)
    return Answers(logits=parts[0], pooled=parts[1])


@torch.inference_mode()
def each_batch(
    grid: Grid,
    corpus: Corpus,
    compute: Compute,
    take: Callable[[GridOutput, Tensor], tuple[Tensor, ...]],
    adapter: LoraAdapter | None = None,
    done: Callable[[int], None] = lambda rows: None,
    collect_hidden: bool = False,
) -> tuple[Tensor, ...]:
    """Run the grid over a corpus and keep what `take(output, mask)` picks, tensors [K, n, ...], as [K, N, ...]."""
    grid.eval()
    order, parts = [], []
    for rows in by_length(corpus.lengths, batch_rows=BATCH_ROWS):
        batch = corpus.batch(rows).to(compute.device)
        with compute.autocast():
            output = grid(batch, adapter=adapter, collect_hidden=collect_hidden)
        parts.append([tensor.float().cpu() for tensor in take(output, batch.mask)])
        order += rows
        done(len(rows))
    back = torch.tensor(order).argsort()
    return tuple(torch.cat(column, dim=1)[:, back].clone() for column in zip(*parts, strict=True))
