"""Rows through torch.compile: fewer, fused kernels between the matrix products."""

from __future__ import annotations

from phalanx_grid.cell import Row
from phalanx_grid.execution.twin import twin
from phalanx_grid.grid import Grid


def compiled(grid: Grid, *, backend: str = "inductor") -> Grid:
    """A grid of the same weights whose rows are compiled at their first use, once for all shapes.

    Sizes are symbols: one program serves all rows and batches. A handful of variants remains (one student or several,
    with a mask or without, all tokens or the first), each some ten seconds of compilation.
    """
    result = twin(grid)
    for row in result.rows:
        assert isinstance(row, Row)
        row.compile(dynamic=True, backend=backend)
    return result
