"""The open loop: each request goes out when it is due, answered or not what went before."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from phalanx_load.arrivals import Schedule
from phalanx_load.errors import LoadError
from phalanx_load.run.exchange import Exchange, drawn
from phalanx_load.run.record import Record
from phalanx_load.samples import Sample
from phalanx_load.target import Target

_AT_ONCE: Final = 32
"""Overdue requests sent in one go, before answers that have arrived are looked at."""

_LAST_ANSWERS_S: Final = 1.0
"""After an interruption answers are still waited for so long."""

Watch = Callable[[Record, int, int], None]
"""Called after each answer with the record, the answered request's index, and how many have been sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is sent, and within which bounds. `connections` is the most at a time, `timeout_s` the limit for an answer.

    Raises:
        LoadError: there is no text to send.
    """

    target: Target
    samples: Sequence[Sample]
    seed: int = 0
    timeout_s: float = 30.0
    connections: int = 1024

    def __post_init__(self) -> None:
        if not self.samples:
            raise LoadError("no text to send: the set of texts is empty")


async def drive(
    load: Load, schedule: Schedule, *, watch: Watch | None = None, stop: asyncio.Event | None = None
) -> Record:
    """Follow the schedule to its end and wait for the last answers; `stop` ends it early with what there is."""
    sender = _Sender(load, schedule, watch)
    halt = asyncio.create_task(stop.wait()) if stop is not None else None
    finished = asyncio.create_task(sender.finished.wait())
    try:
        with _no_pauses():
            sender.start()
            await asyncio.wait({finished, halt} if halt else {finished}, return_when=asyncio.FIRST_COMPLETED)
            if not sender.finished.is_set():
                sender.halt()
                await asyncio.wait({finished}, timeout=_LAST_ANSWERS_S)
    finally:
        finished.cancel()
        if halt is not None:
            halt.cancel()
        sender.close()
    return sender.record


class _Sender:
    """Wakes when the next request is due."""

    def __init__(self, load: Load, schedule: Schedule, watch: Watch | None) -> None:
        self.record = Record(schedule.due_s)
        self.finished = asyncio.Event()
        self._samples = drawn(load.samples, len(schedule), seed=load.seed)
        self._exchange = Exchange(
            load.target,
            self.record,
            connections=load.connections,
            timeout_s=load.timeout_s,
            ended=self._ended,
        )
        self._watch = watch
        self._next, self._end = 0, len(schedule)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None

    def start(self) -> None:
        """The run begins now."""
        self._exchange.began_s = self._loop.time()
        self._wake()

    def halt(self) -> None:
        """Send no more."""
        self._end = self._next
        self.record.stopped_s = self._exchange.now_s
        if self._timer is not None:
            self._timer.cancel()
        self._check_finished()

    def close(self) -> None:
        """Drop everything."""
        if self._timer is not None:
            self._timer.cancel()
        self._exchange.close()

    def _wake(self) -> None:
        """Send what is due, then sleep until the next is."""
        due_s, exchange = self.record.due_s, self._exchange
        most = min(self._next + _AT_ONCE, self._end)
        while self._next < most and due_s[self._next] <= exchange.now_s:
            index = self._next
            self._next += 1
            exchange.send(index, self._samples[index])
        if self._next < self._end:
            self._timer = self._loop.call_at(exchange.began_s + due_s[self._next], self._wake)

    def _ended(self, index: int) -> None:
        if self._watch is not None:
            self._watch(self.record, index, self._next)
        self._check_finished()

    def _check_finished(self) -> None:
        if self._next >= self._end and not self._exchange.open:
            self.finished.set()


@contextmanager
def _no_pauses() -> Iterator[None]:
    """Keep what was loaded before the run out of the garbage collector's sight: its full passes would delay requests.

    The run itself makes next to no objects that live.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
