"""One tenant's adapter on the host."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from phalanx_grid.errors import BaseMismatch, RankTooHigh
from phalanx_grid.geometry import Geometry

TARGETS = 2
"""Projections that have a delta: query, then value."""


@dataclass(frozen=True, slots=True, eq=False)
class AdapterWeights:
    """One tenant's adapter for a grid of K students by L rows, float32 on the host.

    `down[l]` [K, 2, r, H] and `up[l]` [K, 2, H, r] are the deltas of query and value in row l, to be scaled by
    `alpha / rank`. `head_weight` [K, C, H] and `head_bias` [K, C] are the tenant's own head.
    """

    labels: tuple[str, ...]
    rank: int
    alpha: float
    down: tuple[Tensor, ...]
    up: tuple[Tensor, ...]
    head_weight: Tensor
    head_bias: Tensor

    @property
    def students(self) -> int:
        """K."""
        return self.head_weight.shape[0]

    @property
    def hidden(self) -> int:
        """H."""
        return self.head_weight.shape[2]

    @property
    def nbytes(self) -> int:
        """Host memory of all tensors."""
        tensors = (*self.down, *self.up, self.head_weight, self.head_bias)
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def check_fits(weights: AdapterWeights, geometry: Geometry, *, rank_max: int) -> None:
    """Refuse an adapter that does not belong to a grid.

    Raises:
        BaseMismatch: another number of students, rows or features.
        RankTooHigh: a rank above `rank_max`.
    """
    adapter = {"students": weights.students, "rows": len(weights.down), "hidden": weights.hidden}
    for name, value in adapter.items():
        expected = getattr(geometry, name)
        if value != expected:
            raise BaseMismatch(f"the adapter is for {name} {value}, the ensemble has {expected}: train it on this one")
    if weights.rank > rank_max:
        raise RankTooHigh(f"the adapter has rank {weights.rank}, this worker has room for {rank_max}")
