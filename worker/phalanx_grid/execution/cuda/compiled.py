"""Rows through torch.compile: fewer, fused kernels between the matrix products."""

from __future__ import annotations

from typing import Final

import torch

from phalanx_grid.cell import Row
from phalanx_grid.execution.cuda.capture import CudaRecorder
from phalanx_grid.execution.cuda.graphs import Bounds, Graphs, prepared
from phalanx_grid.execution.executor import Executor
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.twin import twin
from phalanx_grid.grid import Grid

_WARM_UP_S: Final = 120.0
"""The first capture of each variant compiles it."""


def compiled(grid: Grid, *, backend: str = "inductor") -> Grid:
    """A grid of the same weights whose rows are compiled at their first use, once for all shapes.

    Sizes are symbols: one program serves all rows and batches. A handful of variants remains (one student or several,
    with a mask or without, all tokens or the first), each compiled when it is first met.
    """
    result = twin(grid)
    for row in result.rows:
        assert isinstance(row, Row)
        row.compile(dynamic=True, backend=backend)
    return result


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry: by graph like `graphs`, and large batches through the compiled rows too."""
    fused, bounds = compiled(grid), Bounds(warm_up_s=_WARM_UP_S)
    return prepared(Graphs(fused, CudaRecorder(device), otherwise=Stacked(fused), bounds=bounds, name="compiled"))
