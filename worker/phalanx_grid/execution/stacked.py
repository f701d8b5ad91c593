"""The reference: all students as one batched product for each linear layer, over padded sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import torch

from phalanx_grid.batch import Batch
from phalanx_grid.execution.executor import TOLERANCES, Executor
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable


class Stacked:
    """`Grid.steps`, on any device. Weights of the first k students are views: a change of k copies nothing."""

    name = "stacked"

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.tolerance = TOLERANCES[grid.embeddings.word.dtype]

    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """As `Executor.steps`."""
        return self._grid.steps(batch, students=students, adapters=adapters, ramp_rows=ramp_rows)


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    return Stacked(grid)
