"""Ramps: small heads after the rows below the last, from which an answer may leave early.

Pool and one linear layer for each student, on a frozen backbone (Apparate, arXiv 2312.05385, section 3). A
ramp's prediction with k students is the weighted sum of the first k, exactly as at the end of the grid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phalanx_grid.geometry import Geometry
from phalanx_grid.readout import prefix_sums
from phalanx_grid.stacked import StackedLinear


class Ramps(nn.Module):
    """One ramp after each of the rows 0..L-2."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            StackedLinear(geometry.students, geometry.hidden, geometry.classes) for _ in range(geometry.rows - 1)
        )

    def forward(self, row: int, pooled: Tensor, weights: Tensor) -> Tensor:
        """Prefix sums [k, N, C] of the ramp after `row`, from states pooled there [k, N, H]."""
        head = self.heads[row]
        assert isinstance(head, StackedLinear)
        return prefix_sums(head(pooled.to(head.weight.dtype)), weights)

    def reset(self, generator: torch.Generator) -> None:
        """BERT's initialisation."""
        for head in self.heads:
            assert isinstance(head, StackedLinear)
            head.reset(generator)
