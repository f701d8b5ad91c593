"""Holding the engine still, so that a test decides what is in one batch, and what the engine takes its device for."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import phalanx_server.engine.thread as engine_thread
from phalanx_server.batching.capacity import Capacity
from phalanx_server.engine.turn import Turn
from phalanx_server.loading import loader
from tests.server.artifacts import STUDENTS
from tests.server.simulated import Device


class Gate:
    """Lets turns through while it is open. `turns` are those that came to it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.turns: list[Turn] = []
        self.fail: Callable[[Turn], None] = lambda turn: None

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """While this lasts, no batch is computed."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate, compute = Gate(), engine_thread.compute

    def guarded(turn: Turn, *rest: Any) -> None:
        gate.turns.append(turn)
        assert gate.open.wait(30)
        gate.fail(turn)
        compute(turn, *rest)

    monkeypatch.setattr(engine_thread, "compute", guarded)
    yield gate
    gate.open.set()


@pytest.fixture
def even_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine takes its device for one of constant speed, however busy the machine is: it measures no time."""
    device = Device(students=STUDENTS, text_s=0.0002, fixed_s=0.0005).capacity()
    monkeypatch.setattr(
        loader, "measure", lambda passes, *, batch_tokens: dataclasses.replace(device, batch_tokens=batch_tokens)
    )
    monkeypatch.setattr(Capacity, "observe", lambda capacity, **batch: capacity)
