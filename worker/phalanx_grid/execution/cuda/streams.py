"""One stream for each student: what student parallelism is without stacking (Academus, arXiv 2408.12526)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from phalanx_grid.attention import attention_bias
from phalanx_grid.batch import Batch
from phalanx_grid.execution.executor import Executor, rounding
from phalanx_grid.execution.segments import segments
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.staging import Inbound
from phalanx_grid.execution.twin import alone
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep
from phalanx_grid.readout import pool

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable


class Lane:
    """A student's own stream; on a CPU, where there is none, the work runs at once.

    Memory belongs to the stream that asked for it, so that what crosses over is marked with `record_stream`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def enter(self, *taken: Tensor | None) -> torch.cuda.StreamContext | nullcontext[None]:
        """Work from here on follows what the caller's stream has been given; `taken` is used in it."""
        if self._stream is None:
            return nullcontext()
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        for tensor in taken:
            if tensor is not None:
                tensor.record_stream(self._stream)
        return torch.cuda.stream(self._stream)

    def join(self, *made: Tensor) -> None:
        """The caller's stream goes on when the work is done, with what it `made`."""
        if self._stream is None:
            return
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._stream)
        for tensor in made:
            tensor.record_stream(current)


class Streams:
    """Students side by side, each a grid of its own over views of the weights. Adapters go to `stacked`."""

    name = "streams"

    def __init__(self, grid: Grid) -> None:
        device = grid.embeddings.word.device
        self.tolerance = rounding(grid)
        self._grid, self._stacked = grid, Stacked(grid)
        self._inbound = Inbound(device, grid.geometry.pad_id)
        self._students = [alone(grid, student) for student in range(grid.geometry.students)]
        self._lanes = [Lane(device) for _ in self._students]

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
        grid, k, batch = self._grid, self._grid.checked(students), self._inbound.take(batch)
        if adapters is not None and batch.adapted:
            yield from self._stacked.steps(batch, students=k, adapters=adapters, ramp_rows=ramp_rows)
            return
        embedded = grid.embeddings(batch.ids).flatten(0, 1).unsqueeze(0)
        states, biases = [embedded] * k, [attention_bias(batch, 1, own.relative) for own in self._students[:k]]
        for rows in segments(grid, ramp_rows):
            states = self._walk(states, biases, rows, batch)
            x = torch.cat(states)
            if rows.stop < grid.geometry.rows:
                logits = grid.ramp(rows.stop - 1, x, batch)
                assert logits is not None
                yield RampStep(rows.stop - 1, logits[-1])
        pooled = x if grid.first_only(grid.geometry.rows - 1) else pool(x, batch, grid.geometry.pooling)
        yield grid.finish(pooled)

    def _walk(self, states: list[Tensor], biases: list[Tensor | None], rows: range, batch: Batch) -> list[Tensor]:
        """Each student's states [1, N*S, H] through some rows."""
        results = []
        for student, (x, bias) in enumerate(zip(states, biases, strict=True)):
            own = self._students[student]
            with self._lanes[student].enter(x, bias):
                for row in rows:
                    x = own.rows[row](x, bias, n=batch.size, first_only=own.first_only(row))
            results.append(x)
        for student, x in enumerate(results):
            self._lanes[student].join(x)
        return results


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    return Streams(grid)
