"""The reference: all students as one batched product for each linear layer, over padded sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import torch

from phalanx_grid.batch import Batch
from phalanx_grid.execution.executor import Executor, rounding
from phalanx_grid.execution.staging import Inbound
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable


class Stacked:
    """`Grid.steps`, on any device. Weights of the first k students are views: a change of k copies nothing."""

    name = "stacked"

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._inbound = Inbound(grid.embeddings.word.device, grid.geometry.pad_id)
        self.tolerance = rounding(grid)

    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """As `Executor.steps`."""
        inside = self._inbound.take(batch)
        return self._grid.steps(inside, students=students, adapters=adapters, ramp_rows=ramp_rows)


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    return Stacked(grid)
