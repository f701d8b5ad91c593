"""How graphs are captured, with a stand-in for torch's part: nothing of other threads is waited for or thrown away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from phalanx_grid.execution.cuda.capture import CudaRecorder

done: list[str] = []


class Graph:
    """torch.cuda.CUDAGraph as far as it is used; a capture that CUDA calls invalid cannot be ended well."""

    invalid = False

    def capture_begin(self, *, pool: tuple[int, int], capture_error_mode: str) -> None:
        done.append(f"begin {pool} {capture_error_mode}")

    def capture_end(self) -> None:
        done.append("end")
        if self.invalid:
            raise RuntimeError("capture is invalid")

    def replay(self) -> None:
        done.append("replay")


class Stream(SimpleNamespace):
    cuda_stream, device_index = 7, 0

    def wait_stream(self, other: object) -> None:
        done.append("wait for the caller")

    def synchronize(self) -> None:
        done.append("synchronize")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> CudaRecorder:
    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        done.append("enter")
        try:
            yield
        finally:
            done.append("leave")

    done.clear()
    monkeypatch.setattr(Graph, "invalid", False)
    for name, value in {
        "CUDAGraph": Graph, "Stream": lambda device: Stream(), "stream": on, "current_stream": lambda device: Stream(),
        "graph_pool_handle": lambda: (0, 1),
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    ended = lambda index, pool: done.append(f"pool {pool} ended")  # noqa: E731 - beside the others
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", ended, raising=False)
    return CudaRecorder(torch.device("cuda"))


def test_parts_are_rehearsed_then_captured_one_by_one(recorder: CudaRecorder) -> None:
    recording = recorder.record([lambda: done.append("a"), lambda: done.append("b")])
    begin = "begin (0, 1) thread_local"
    assert done == [
        "wait for the caller", "enter", "a", "b", "a", "b", "leave", "synchronize",
        "enter", begin, "a", "end", "leave", "enter", begin, "b", "end", "leave",
    ]  # fmt: skip
    assert recording is not None
    assert recording.own_bytes == 2 << 20
    for replay in recording.replays:
        replay()
    assert done[-2:] == ["replay", "replay"]


@pytest.mark.parametrize("invalid", [False, True])
def test_a_part_that_fails_ends_the_capture_and_says_itself_what_was_wrong(
    recorder: CudaRecorder, monkeypatch: pytest.MonkeyPatch, invalid: bool
) -> None:
    runs = iter(range(100))

    def part() -> None:
        if next(runs) == 2:  # after the rehearsals
            raise RuntimeError("out of memory")

    monkeypatch.setattr(Graph, "invalid", invalid)
    with pytest.raises(RuntimeError, match="out of memory"):
        recorder.record([part])
    assert done[-3:] == (
        ["end", "pool (0, 1) ended", "leave"] if invalid else ["begin (0, 1) thread_local", "end", "leave"]
    )
    monkeypatch.setattr(Graph, "invalid", False)
    assert recorder.record([part]) is not None  # the lock is free again


def test_a_capture_that_turns_out_invalid_leaves_no_allocation_to_the_pool(
    recorder: CudaRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graph, "invalid", True)
    with pytest.raises(RuntimeError, match="capture is invalid"):
        recorder.record([lambda: None])
    assert done[-2:] == ["pool (0, 1) ended", "leave"]


def test_who_does_not_wait_gets_nothing_while_another_thread_captures(recorder: CudaRecorder) -> None:
    begun, finish = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert finish.wait(60)

    other = threading.Thread(target=recorder.record, args=([slow],))
    other.start()
    try:
        assert begun.wait(60)
        assert recorder.record([lambda: None], wait=False) is None
    finally:
        finish.set()
        other.join(60)
    assert recorder.record([lambda: None], wait=False) is not None
