"""Holding the engine still, so that a test decides what is in one batch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import phalanx_server.engine.thread as engine_thread
from phalanx_server.engine.turn import Turn


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
