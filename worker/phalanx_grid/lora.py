"""Low-rank deltas (LoRA, arXiv 2106.09685) on queries and values, with a head of the tenant's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phalanx_grid.adapters import TARGETS, AdapterWeights
from phalanx_grid.cell import RowDelta
from phalanx_grid.geometry import Geometry
from phalanx_grid.stacked import StackedLinear


def low_rank(x: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """B products side by side: x [B, T, H], down [B, 2*r, H], up [B, 2, H, r] to [B, T, 2, H]."""
    B, T, _ = x.shape
    low = torch.bmm(x, down.transpose(1, 2)).view(B, T, TARGETS, -1).transpose(1, 2)
    return torch.matmul(low, up.transpose(-1, -2)).transpose(1, 2)


class LoraAdapter(nn.Module):
    """A trainable adapter of one tenant for all students of a grid.

    `down[l]` [K, 2, r, H] and `up[l]` [K, 2, H, r] belong to row l; `up` starts at zero, so that training starts
    from the base model. The delta is scaled by `alpha / rank`.
    """

    def __init__(self, geometry: Geometry, labels: tuple[str, ...], *, rank: int, alpha: float, seed: int = 0) -> None:
        super().__init__()
        K, H, generator = geometry.students, geometry.hidden, torch.Generator().manual_seed(seed)
        self.labels, self.rank, self.alpha = labels, rank, alpha
        self.down = nn.ParameterList(torch.empty(K, TARGETS, rank, H) for _ in range(geometry.rows))
        self.up = nn.ParameterList(torch.zeros(K, TARGETS, H, rank) for _ in range(geometry.rows))
        self.head = StackedLinear(K, H, len(labels))
        with torch.no_grad():
            for down in self.down:
                down.normal_(std=H**-0.5, generator=generator)
        self.head.reset(generator)

    def delta(self, row: int) -> RowDelta:
        """What this adapter adds in a row, for all sequences alike."""
        down, up, scale = self.down[row], self.up[row], self.alpha / self.rank

        def apply(x: Tensor, n: int) -> Tensor:
            k = x.shape[0]
            return low_rank(x, down[:k].flatten(1, 2), up[:k] * scale)

        return apply

    def forward(self, features: Tensor) -> Tensor:
        """Features [k, N, H] to each student's own logits [k, N, C_t]."""
        return self.head(features)  # type: ignore[no-any-return]

    @torch.no_grad()
    def load_weights(self, weights: AdapterWeights) -> None:
        """Take over the values of an adapter of the same shape, to go on training or to measure it."""
        for ours, theirs in zip((*self.down, *self.up), (*weights.down, *weights.up), strict=True):
            ours.copy_(theirs)
        self.head.weight.copy_(weights.head_weight)
        self.head.bias.copy_(weights.head_bias)

    def weights(self) -> AdapterWeights:
        """A copy for the host: to save, or to put into a table."""
        return AdapterWeights(
            labels=self.labels,
            rank=self.rank,
            alpha=self.alpha,
            down=tuple(_host(tensor) for tensor in self.down),
            up=tuple(_host(tensor) for tensor in self.up),
            head_weight=_host(self.head.weight),
            head_bias=_host(self.head.bias),
        )


def _host(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True)
