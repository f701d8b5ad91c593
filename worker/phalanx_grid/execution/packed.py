"""On a CPU: no padding in the linear layers, weights in the layout of the matrix kernels, students on threads.

Students are computed one by one rather than as one batched product, because a CPU has nothing to gain from width: what
counts there is that each product finds its weights laid out and its states in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from phalanx_grid.batch import Batch
from phalanx_grid.cell import Row
from phalanx_grid.execution.crew import Crew, Unit
from phalanx_grid.execution.deal import parts
from phalanx_grid.execution.executor import TOLERANCES, Executor
from phalanx_grid.execution.packing import Packing, pack, unpack
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.student import PackedRow
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable

Run = Callable[[list[Unit]], list[Tensor]]
"""Runs units, in any order or at the same time, and gives their results in order."""


class Packed:
    """Students one after the other on the calling thread, or dealt to `threads` (name `threads`).

    The rows' weights are held twice: as the grid has them, and blocked. Batches with adapters go to `stacked`.
    """

    def __init__(self, grid: Grid, *, threads: int | None = None) -> None:
        self.name = "packed" if threads is None else "threads"
        self.tolerance = TOLERANCES[grid.embeddings.word.dtype]
        self._grid, self._stacked = grid, Stacked(grid)
        self._threads = threads or 1
        self._run: Run = _one_by_one if threads is None else Crew(threads).run
        self._students = _prepared(grid)

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
        if adapters is not None and batch.slots is not None and bool(batch.slots.any()):
            yield from self._stacked.steps(batch, students=students, adapters=adapters, ramp_rows=ramp_rows)
            return
        grid, k = self._grid, self._grid.checked(students)
        cuts = parts(k, texts=batch.size, tokens=batch.size * batch.length, threads=self._threads)
        packings = pack(batch, cuts)
        embedded = grid.embeddings(batch.ids).flatten(0, 1)
        bias = None if grid.relative is None else grid.relative(batch.length, k).float()
        states = [packing.take(embedded) for packing in packings] * k
        for rows in segments(grid, ramp_rows):
            states = self._walk(states, rows, packings, bias)
            pooled = self._pooled(states, rows, packings)
            if grid.ramps is not None and rows.stop < grid.geometry.rows:
                yield RampStep(rows.stop - 1, grid.ramps(rows.stop - 1, pooled, grid.weights)[-1])
        yield grid.finish(pooled)

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
        return self._run(units)

    def _pooled(self, states: Sequence[Tensor], rows: range, packings: Sequence[Packing]) -> Tensor:
        """One vector for each student and sequence, [k, N, H]."""
        if not self._grid.first_only(rows.stop - 1):
            pooling = self._grid.geometry.pooling
            states = [packings[place % len(packings)].pool(x, pooling) for place, x in enumerate(states)]
        by_part = [torch.stack(list(states[part :: len(packings)])) for part in range(len(packings))]
        return unpack(by_part, packings)


def segments(grid: Grid, ramp_rows: Collection[int] | None) -> list[range]:
    """All rows, cut behind each ramp that speaks: there its sum needs every student."""
    last = grid.geometry.rows
    speaking = [row + 1 for row in range(last - 1) if grid.has_ramps and (ramp_rows is None or row in ramp_rows)]
    return [range(start, stop) for start, stop in pairwise([0, *speaking, last])]


def _through(x: Tensor, rows: Sequence[tuple[PackedRow, bool]], packing: Packing, bias: Tensor | None) -> Tensor:
    for row, first_only in rows:
        x = row(x, packing, bias, first_only=first_only)
    return x


def _one_by_one(units: list[Unit]) -> list[Tensor]:
    return [unit() for unit in units]


def _prepared(grid: Grid) -> list[list[PackedRow]]:
    """By student, by row."""
    rows = [row for row in grid.rows if isinstance(row, Row)]
    return [[PackedRow(row, student) for row in rows] for student in range(grid.geometry.students)]


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    return Packed(_on_cpu(grid, device))


def build_threads(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    return Packed(_on_cpu(grid, device), threads=threads)


def _on_cpu(grid: Grid, device: torch.device) -> Grid:
    if device.type != "cpu":
        raise ValueError("it is for CPUs; use auto")
    return grid
