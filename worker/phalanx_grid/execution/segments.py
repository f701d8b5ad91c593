"""The way through the rows, from ramp to ramp."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from phalanx_grid.grid import Grid


def segments(grid: Grid, ramp_rows: Collection[int] | None) -> list[range]:
    """All rows, cut behind each ramp that speaks: there its sum needs every student."""
    last = grid.geometry.rows
    speaking = [row + 1 for row in range(last - 1) if grid.has_ramps and (ramp_rows is None or row in ramp_rows)]
    return [range(start, stop) for start, stop in pairwise([0, *speaking, last])]
