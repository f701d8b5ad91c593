"""Students as the groups of one grouped matrix product, as mixtures of experts compute theirs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from phalanx_grid.cell import Row
from phalanx_grid.execution.cuda.devices import need_bf16, need_capability
from phalanx_grid.execution.executor import Executor
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.twin import twin
from phalanx_grid.grid import Grid
from phalanx_grid.stacked import StackedLinear

_CAPABILITY = 9
"""Below it torch multiplies group by group, which is what `streams` does better."""

_ALIGNED_BYTES = 16
"""The kernel loads rows of matrices in pieces of so many."""


class GroupedLinear(StackedLinear):
    """K linear layers by one grouped product. It knows no bias, so that one more launch adds it."""

    @classmethod
    def over(cls, layer: StackedLinear) -> GroupedLinear:
        """The same weights."""
        students, outputs, inputs = layer.weight.shape
        with torch.device("meta"):
            result = cls(students, inputs, outputs)
        result.weight, result.bias = layer.weight, layer.bias
        return result

    def forward(self, x: Tensor) -> Tensor:
        """[k, T, in] to [k, T, out]."""
        k = x.shape[0]
        if k == 1:
            return super().forward(x)
        # The first row's states are one tensor seen k times, and the kernel wants strides that it can load by.
        product: Tensor = F.grouped_mm(x.contiguous(), self.weight[:k].transpose(1, 2))
        return product + self.bias[:k].unsqueeze(1)


class Grouped(Stacked):
    """`stacked` with grouped products in the rows. Readout and ramps are float32, and stay as they are."""

    name = "grouped"

    def __init__(self, grid: Grid) -> None:
        _need_aligned(grid)
        super().__init__(_regrouped(grid))


def _regrouped(grid: Grid) -> Grid:
    result = twin(grid)
    for row in result.rows:
        assert isinstance(row, Row)
        row.qkv, row.out = GroupedLinear.over(row.qkv), GroupedLinear.over(row.out)
        row.up, row.down = GroupedLinear.over(row.up), GroupedLinear.over(row.down)
    return result


def _need_aligned(grid: Grid) -> None:
    numbers = _ALIGNED_BYTES // grid.embeddings.word.element_size()
    for name in ("hidden", "ffn"):
        size = getattr(grid.geometry, name)
        if size % numbers:
            raise ValueError(f"grouped products need {name} to be a multiple of {numbers}, it is {size}; use auto")


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    need_capability(device, _CAPABILITY)
    need_bf16(grid)
    return Grouped(grid)
