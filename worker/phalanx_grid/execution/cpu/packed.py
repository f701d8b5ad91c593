"""On a CPU: no padding in the linear layers, weights in the layout of the matrix kernels, students on threads.

Students are computed one by one rather than as one batched product, because a CPU has nothing to gain from width: what
counts there is that each product finds its weights laid out and its states in the cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from phalanx_grid.batch import Batch
from phalanx_grid.cell import Row
from phalanx_grid.execution.cpu.crew import Crew, Unit
from phalanx_grid.execution.cpu.deal import parts
from phalanx_grid.execution.cpu.linear import Prepare, blocked, eight_bits
from phalanx_grid.execution.cpu.packing import Packing, pack, unpack
from phalanx_grid.execution.cpu.student import PackedRow
from phalanx_grid.execution.executor import Executor, rounding
from phalanx_grid.execution.segments import segments
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable

INT8_TOLERANCE: Final = 0.2
"""As `Executor.tolerance`, on trained encoders: rounding of weights and states to 8 bits."""


class Packed:
    """Students one after the other on the calling thread and torch's helpers, or dealt to the lanes of a `crew`.

    The rows' weights are held twice: as the grid has them, and as `prepare` lays them out. Batches with adapters go to
    `stacked`.
    """

    def __init__(self, grid: Grid, *, name: str, tolerance: float, crew: Crew | None, prepare: Prepare) -> None:
        self.name, self.tolerance = name, tolerance
        self._grid, self._stacked, self._crew = grid, Stacked(grid), crew
        rows = [row for row in grid.rows if isinstance(row, Row)]
        self._students = [[PackedRow(row, m, prepare) for row in rows] for m in range(grid.geometry.students)]

    @torch.inference_mode()
    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """As `Executor.steps`."""
        if adapters is not None and batch.adapted:
            yield from self._stacked.steps(batch, students=students, adapters=adapters, ramp_rows=ramp_rows)
            return
        grid, k = self._grid, self._grid.checked(students)
        packings = pack(batch, self._parts(batch, k))
        embedded = grid.embeddings(batch.ids).flatten(0, 1)
        bias = None if grid.relative is None else grid.relative(batch.length, k).float()
        states = [packing.take(embedded) for packing in packings] * k
        for rows in segments(grid, ramp_rows):
            states = self._walk(states, rows, packings, bias)
            pooled = self._pooled(states, rows, packings)
            if grid.ramps is not None and rows.stop < grid.geometry.rows:
                yield RampStep(rows.stop - 1, grid.ramps(rows.stop - 1, pooled, grid.weights)[-1])
        yield grid.finish(pooled)

    def _parts(self, batch: Batch, k: int) -> int:
        threads = 1 if self._crew is None else self._crew.threads
        return parts(k, texts=batch.size, tokens=batch.size * batch.length, threads=threads)

    def _walk(
        self, states: Sequence[Tensor], rows: range, packings: Sequence[Packing], bias: Tensor | None
    ) -> list[Tensor]:
        """States of every student and part, students first, from before some rows to after them."""
        units: list[Unit] = []
        for place, x in enumerate(states):
            student, part = divmod(place, len(packings))
            own = None if bias is None else bias[student]
            chosen = [(self._students[student][row], self._grid.first_only(row)) for row in rows]
            units.append(partial(_through, x, chosen, packings[part], own))
        return [unit() for unit in units] if self._crew is None else self._crew.run(units)

    def _pooled(self, states: Sequence[Tensor], rows: range, packings: Sequence[Packing]) -> Tensor:
        """One vector for each student and sequence, [k, N, H]."""
        if not self._grid.first_only(rows.stop - 1):
            pooling = self._grid.geometry.pooling
            states = [packings[place % len(packings)].pool(x, pooling) for place, x in enumerate(states)]
        by_part = [torch.stack(list(states[part :: len(packings)])) for part in range(len(packings))]
        return unpack(by_part, packings)


def _through(x: Tensor, rows: Sequence[tuple[PackedRow, bool]], packing: Packing, bias: Tensor | None) -> Tensor:
    for row, first_only in rows:
        x = row(x, packing, bias, first_only=first_only)
    return x


def build_packed(grid: Grid, device: torch.device, threads: int) -> Executor:
    """`packed`: every operator on all threads."""
    return Packed(grid, name="packed", tolerance=rounding(grid), crew=None, prepare=blocked)


def build_threads(grid: Grid, device: torch.device, threads: int) -> Executor:
    """`threads`: every student on a thread of its own."""
    crew = Crew(threads)
    return Packed(grid, name="threads", tolerance=rounding(grid), crew=crew, prepare=blocked)


def build_int8(grid: Grid, device: torch.device, threads: int) -> Executor:
    """`int8`: as `threads`, with weights of 8 bits."""
    crew = Crew(threads)
    return Packed(grid, name="int8", tolerance=INT8_TOLERANCE, crew=crew, prepare=eight_bits)
