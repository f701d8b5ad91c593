"""One row of the grid: the cells of all students at one depth, computed together."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phalanx_grid.attention import attend
from phalanx_grid.geometry import Geometry
from phalanx_grid.stacked import StackedLinear, StackedNorm


class RowDelta(Protocol):
    """A low-rank change of one row's query and value projections."""

    def __call__(self, x: Tensor, n: int) -> Tensor:
        """x [k, N*S, H] to what is added to queries and values, [k, N*S, 2, H]."""
        ...


class Row(nn.Module):
    """K post-norm transformer layers, one for each student (BERT, arXiv 1810.04805, section 3)."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        K, H = geometry.students, geometry.hidden
        self.heads = geometry.heads
        self.qkv = StackedLinear(K, H, 3 * H)
        self.out = StackedLinear(K, H, H)
        self.attention_norm = StackedNorm(K, H, geometry.layer_norm_eps)
        self.up = StackedLinear(K, H, geometry.ffn)
        self.down = StackedLinear(K, geometry.ffn, H)
        self.output_norm = StackedNorm(K, H, geometry.layer_norm_eps)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None,
        *,
        n: int,
        dropout: float = 0.0,
        delta: RowDelta | None = None,
        first_only: bool = False,
    ) -> Tensor:
        """States [k, N*S, H] before the row to those after it.

        `bias` is from `attention_bias`; `n` is the number of sequences N. `first_only` computes the states of the first
        tokens alone, [k, N, H]: enough after the last row of a grid that pools them, at a third of the row's cost.
        """
        length = x.shape[1] // n
        qkv = self.qkv(x)
        if delta is not None:
            qkv = _add_to_query_and_value(qkv, delta(x, n))
        mixed = attend(qkv, bias, shape=(n, length, self.heads), dropout=dropout, first_only=first_only)
        if first_only:
            x = x[:, ::length]
        return self.close(x, mixed, dropout)

    def close(self, x: Tensor, mixed: Tensor, dropout: float = 0.0) -> Tensor:
        """The row's second half: states x [k, T, H] before it and what attention mixed [k, T, H] to those after it."""
        x = self.attention_norm(x + _drop(self.out(mixed), dropout))
        return self.output_norm(x + _drop(self.down(F.gelu(self.up(x))), dropout))  # type: ignore[no-any-return]

    def reset(self, generator: torch.Generator) -> None:
        """BERT's initialisation."""
        for linear in (self.qkv, self.out, self.up, self.down):
            linear.reset(generator)
        self.attention_norm.reset()
        self.output_norm.reset()


def _add_to_query_and_value(qkv: Tensor, delta: Tensor) -> Tensor:
    zeros = torch.zeros_like(delta[:, :, 0])
    return qkv + torch.cat([delta[:, :, 0], zeros, delta[:, :, 1]], dim=-1)


def _drop(x: Tensor, probability: float) -> Tensor:
    return F.dropout(x, probability) if probability else x
