"""CUDA graphs: a small pass is one launch for each stretch between ramps, instead of a dozen for each row.

At batch 1 a shallow ensemble's kernels take less time than the host needs to launch them, so that this is where the
latency of few rows is won. Each number of students and each padded shape needs a graph of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from phalanx_grid.batch import Batch
from phalanx_grid.execution.cuda.buckets import Bucket, Buckets
from phalanx_grid.execution.cuda.capture import CudaRecorder, Recorder, Recording
from phalanx_grid.execution.cuda.passes import Pass
from phalanx_grid.execution.cuda.proof import alike
from phalanx_grid.execution.cuda.shelf import Shelf
from phalanx_grid.execution.executor import Executor, rounding
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.staging import Inbound
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable

log = logging.getLogger(__name__)
Key = tuple[Bucket, tuple[int, ...] | None]
"""The ramps that speak belong to it: the pass is cut behind them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What graphs may take."""

    passes: int = 256
    """Captured passes at a time."""
    own_bytes: int = 1 << 30
    """Device memory of graphs with their inputs and results; what they compute in between lies in one pool more."""
    warm_up_s: float = 15.0
    """Captures before the first request stop after so long."""
    asks: int = 4
    """A shape that comes so often while serving is captured then, while its batch waits; before, it runs without."""


@dataclass(frozen=True, slots=True, eq=False)
class _Captured:
    run: Pass
    recording: Recording

    @property
    def own_bytes(self) -> int:
        return self.recording.own_bytes + self.run.static_bytes


class Graphs:
    """Small batches by graph, everything else (large, with adapters, seldom) by another executor.

    Ramps cut the graph, so that an answer can leave while the rows behind it run. One graph with all ramps as results
    would save a launch for each ramp, but that launch falls into the time in which the rows before it compute.
    """

    def __init__(
        self, grid: Grid, recorder: Recorder, *, otherwise: Executor, bounds: Bounds | None = None, name: str = "graphs"
    ) -> None:
        self.name = name
        self.tolerance = max(rounding(grid), otherwise.tolerance)
        self._grid, self._recorder, self._otherwise = grid, recorder, otherwise
        self._bounds = bounds or Bounds()
        self._inbound = Inbound(grid.embeddings.word.device, grid.geometry.pad_id)
        self._buckets = Buckets(grid.geometry.students, grid.geometry.max_tokens)
        self._shelf: Shelf[Key, _Captured] = Shelf(
            count=self._bounds.passes, own_bytes=self._bounds.own_bytes, asks=self._bounds.asks
        )
        self._turn = 0
        self._broken = False

    @property
    def captured(self) -> int:
        """Passes that have graphs now."""
        return len(self._shelf)

    @property
    def memory_bytes(self) -> int:
        """Device memory of all graphs, with the pool that they share."""
        return self._shelf.own_bytes + self._recorder.pool_bytes

    @torch.inference_mode()
    def prepare(self) -> None:
        """Capture what is most useful, within the bounds."""
        begin_s = time.monotonic()
        for bucket in self._buckets.to_warm():
            if self._broken or self._shelf.full or time.monotonic() - begin_s > self._bounds.warm_up_s:
                break
            self._capture((bucket, None), wait=True)
        if self.captured and not alike(self, self._otherwise, self._grid.geometry, self._buckets.to_warm()[0]):
            log.error("answers by graph differ from those without: nothing runs by graph on this device")
            self._recorder.settle()
            self._shelf.clear()
            self._broken = True

    @torch.inference_mode()
    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """As `Executor.steps`.

        Raises:
            RuntimeError: another pass was begun before this one was at its end.
        """
        k = self._grid.checked(students)
        tenants = adapters is not None and batch.adapted
        found = None if tenants else self._find(batch, k, ramp_rows)
        if found is None:
            yield from self._otherwise.steps(batch, students=k, adapters=adapters, ramp_rows=ramp_rows)
        else:
            yield from self._replay(found, batch)

    def _replay(self, found: _Captured, batch: Batch) -> Iterator[RampStep | FinalStep]:
        self._turn += 1
        turn, run, n = self._turn, found.run, batch.size
        self._inbound.write(batch, run.words, texts=run.bucket.texts, length=run.bucket.length)
        for place, replay in enumerate(found.recording.replays):
            if turn != self._turn:
                raise RuntimeError("another pass was begun before this one was at its end: graphs share their memory")
            replay()
            # Copies, because the next pass of this shape writes into the same memory.
            if place < len(run.ramps):
                yield RampStep(run.rows[place].stop - 1, run.ramps[place][:n].clone())
        final, classes = run.final[:n].clone(), self._grid.geometry.classes
        logits, pooled = final[:, :classes], final[:, classes:]
        yield FinalStep(list(logits), pooled, logits)

    def _find(self, batch: Batch, k: int, ramp_rows: Collection[int] | None) -> _Captured | None:
        """A graph for a batch: one without a mask if it fills its shape, else one with; captured now if it is time."""
        bucket = self._buckets.of(students=k, texts=batch.size, length=batch.length, full=batch.full)
        if bucket is None:
            return None
        speaking = None if ramp_rows is None else tuple(sorted(ramp_rows))
        keys: list[Key] = [(bucket, speaking)]
        if bucket.full:
            keys.append((Bucket(bucket.students, bucket.texts, bucket.length), speaking))
        for key in keys:
            found = self._shelf.get(key)
            if found is None and self._shelf.wanted(key) and not self._broken:
                found = self._capture(key, wait=False)
            if found is not None:
                return found
        return None

    def _capture(self, key: Key, *, wait: bool) -> _Captured | None:
        """A new graph, or None: it failed, or another model is being captured and this is no time to `wait`."""
        run = Pass(self._grid, *key)
        try:
            recording = self._recorder.record(run.parts, wait=wait)
        except RuntimeError:
            # What a failed capture leaves in the allocator is not ours to repair: go on without more graphs.
            log.exception("capturing %s failed; shapes without a graph run without one from now on", key)
            self._broken = True
            return None
        finally:
            run.forget()
        if recording is None:
            return None
        captured = _Captured(run, recording)
        dropped = self._shelf.put(key, captured)
        if dropped:
            self._recorder.settle()
        return captured


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    return prepared(Graphs(grid, CudaRecorder(device), otherwise=Stacked(grid)))


def prepared(executor: Graphs) -> Graphs:
    """The executor after its warm-up."""
    executor.prepare()
    return executor
