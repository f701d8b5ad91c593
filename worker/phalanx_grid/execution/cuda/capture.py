"""Turning work into something that can be run again: a CUDA graph, or on a CPU the work itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakValueDictionary

import torch

Part = Callable[[], None]

_REHEARSALS: Final = 2
"""Runs before a capture: the first loads kernels and makes workspaces, which cannot be captured."""

_STREAMS: Final = 32
"""In torch's pool."""

_capturing: Final = threading.Lock()
"""CUDA allows one capture in a process at a time, and loaders capture while the engine may want to."""

_GRAPH_BYTES: Final = 1 << 20
"""What a graph of a few dozen kernels is taken to hold on the device. Nothing tells it, and how much memory is free
changes with what other threads do."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Parts that run again at each call, and an estimate of the device memory that dies with them beside the pool's."""

    replays: list[Part]
    own_bytes: int


class Recorder(Protocol):
    """Makes recordings of parts that read and write memory which stays in place."""

    @property
    def pool_bytes(self) -> int:
        """Memory that all recordings share for what they compute in between."""
        ...

    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording | None:
        """Run the parts in order a few times, and record them. Raises RuntimeError if it cannot be done.

        While another thread records: None, unless the caller is to `wait` (compilers may run there, for a minute).
        """
        ...

    def settle(self) -> None:
        """Wait until nothing that was recorded runs any more, so that recordings may be dropped."""
        ...


class Rerun:
    """The stand-in for graphs on a CPU: a replay is the part itself."""

    pool_bytes = 0

    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording | None:
        """As `Recorder.record`."""
        for part in parts:
            part()
        return Recording(list(parts), 0)

    def settle(self) -> None:
        """Nothing runs behind the caller's back."""


_in_use: Final[WeakValueDictionary[int, CudaRecorder]] = WeakValueDictionary()
"""Recorders by their stream."""


class CudaRecorder:
    """Captures each part as a graph. All graphs share one memory pool, and must run in order on one stream.

    Memory that a part leaves to the next, and that was let go after the last, is used again by later captures: so the
    pool grows to the needs of the largest pass, not to their sum. That is sound because a pass is replayed from its
    first part to its last with no other pass in between, and because results lie outside of the pool.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = _own_stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        _in_use[self._stream.cuda_stream] = self

    @property
    def pool_bytes(self) -> int:
        """As `Recorder.pool_bytes`."""
        segments = torch.cuda.memory_snapshot(self._pool, include_traces=False)
        return sum(int(segment["total_size"]) for segment in segments)

    def record(self, parts: Sequence[Part], *, wait: bool = True) -> Recording | None:
        """As `Recorder.record`. Other threads may use the device meanwhile, but must not wait for all of it."""
        if not _capturing.acquire(blocking=wait):
            return None
        try:
            self._rehearse(parts)
            graphs = [self._capture(part) for part in parts]
        finally:
            _capturing.release()
        return Recording([graph.replay for graph in graphs], len(graphs) * _GRAPH_BYTES)

    def settle(self) -> None:
        """As `Recorder.settle`."""
        torch.cuda.current_stream(self._device).synchronize()

    def _rehearse(self, parts: Sequence[Part]) -> None:
        # On the stream of the capture: workspaces of the matrix libraries belong to a stream.
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            for _ in range(_REHEARSALS):
                for part in parts:
                    part()
        self._stream.synchronize()

    def _capture(self, part: Part) -> torch.cuda.CUDAGraph:
        # Not by `torch.cuda.graph`: it waits for the whole device and empties the caches that other threads live on.
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            # The default error mode would make calls of other threads fail, such as a loader's allocation.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                part()
                graph.capture_end()
            except BaseException:
                self._abandon(graph)
                raise
        return graph

    def _abandon(self, graph: torch.cuda.CUDAGraph) -> None:
        """End a capture that failed: the stream leaves it, and the allocator gives it no more of the pool."""
        try:
            graph.capture_end()
        except RuntimeError:
            # CUDA refuses to end it well, and torch may have left then before it told its allocator.
            with suppress(RuntimeError):
                torch._C._cuda_endAllocateToPool(self._stream.device_index, self._pool)


def _own_stream(device: torch.device) -> torch.cuda.Stream:
    """A stream that no other recorder has. torch hands out 32 in turn, then the same again.

    Graphs keep the workspace of the stream that they were captured on. A rehearsal on that stream, while another
    model's graph runs, would write into it.
    """
    for _ in range(_STREAMS):
        stream = torch.cuda.Stream(device)
        if stream.cuda_stream not in _in_use:
            return stream
    raise ValueError(f"{_STREAMS} models have graphs already, and torch has no more streams; use stacked")
