"""MPNet's relative position bias: one scalar for each head and bucketed distance, shared by all rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_MAX_DISTANCE = 128
"""Distances from here on share the last bucket (MPNet, as T5)."""


def buckets(length: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Bucket of each (query, key) pair, int64 [S, S].

    Half of the buckets are for keys after the query; in each half, half are exact distances and the rest grow
    logarithmically (T5, arXiv 1910.10683, section 2.1).
    """
    positions = torch.arange(length, device=device)
    offset = positions.unsqueeze(0) - positions.unsqueeze(1)
    half = count // 2
    exact = half // 2
    distance = offset.abs()
    scale = (half - exact) / math.log(_MAX_DISTANCE / exact)
    # log(0) is never used: distance 0 is exact
    far = exact + (torch.log(distance.clamp(min=1).float() / exact) * scale).long()
    near = torch.where(distance < exact, distance, far.clamp(max=half - 1))
    return near + half * (offset > 0).long()


class RelativeBias(nn.Module):
    """A table [K, buckets, heads]: each student keeps its own."""

    def __init__(self, students: int, count: int, heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(students, count, heads))

    def forward(self, length: int, k: int) -> Tensor:
        """The bias to add to attention scores, [k, heads, S, S], in this order in memory: fused attention on CUDA takes
        no mask whose keys lie apart."""
        table = self.table[:k]
        index = buckets(length, self.table.shape[1], table.device)
        return table[:, index].permute(0, 3, 1, 2).contiguous()

    @torch.no_grad()
    def reset(self, generator: torch.Generator) -> None:
        """As every other weight."""
        self.table.normal_(std=0.02, generator=generator)
