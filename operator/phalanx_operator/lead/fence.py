"""The fence in front of every write: it opens for as long as the lease is good, and no write passes it otherwise.

It looks at the clock for each write, so it holds in the middle of a round, and in a process that was stopped for
longer than its lease and does not know it yet.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from phalanx_operator import tally
from phalanx_operator.errors import FencedError

Clock = Callable[[], float]
GRAIN_S: Final = 0.01
"""Clocks of fence and event loop differ by less; a shorter wait could end before its time, again and again."""


def steady_clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Fence:
    """Closed at first. `clock` is the one that the election counts by."""

    def __init__(self, clock: Clock = steady_clock) -> None:
        self._clock = clock
        self._until = self._over = -math.inf
        self._under_way = 0
        self._turned = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Fence {'open' if self.is_open else 'closed'}, {self._under_way} writes under way>"

    @property
    def is_open(self) -> bool:
        """Whether a write may begin."""
        return self._clock() < self._until

    def extend(self, *, until: float, over: float) -> None:
        """Let writes begin until then, and give them up by `over`; both by the fence's clock."""
        self._until, self._over = until, over
        self._turned.set()

    def close(self) -> None:
        """Let no write begin any more; those under way go on for as long as they were given."""
        self._until = self._over = -math.inf
        self._turned.set()

    @contextmanager
    def admit(self) -> Iterator[float]:
        """Count a write as under way; gives the seconds that it may take. Raises FencedError."""
        now = self._clock()
        if not now < self._until:
            tally.FENCED.inc()
            raise FencedError("another replica may be the leader: this one may not write")
        self._under_way += 1
        try:
            yield self._over - now
        finally:
            self._under_way -= 1
            self._turned.set()

    async def opened(self) -> None:
        """Wait until writes may begin."""
        while not self.is_open:
            await self._turn(math.inf)

    async def closed(self) -> None:
        """Wait until no write may begin, because the lease was lost or has run out."""
        while self.is_open:
            await self._turn(self._until)

    async def drained(self) -> None:
        """Wait until no write is under way."""
        while self._under_way:
            await self._turn(math.inf)

    async def _turn(self, until: float) -> None:
        """Until something changed, or until then, give or take; no write waits for this."""
        self._turned.clear()
        try:
            async with asyncio.timeout(None if math.isinf(until) else max(GRAIN_S, until - self._clock())):
                await self._turned.wait()
        except TimeoutError:
            pass


def always_open() -> Fence:
    """For an operator that is the only one by other means."""
    fence = Fence()
    fence.extend(until=math.inf, over=math.inf)
    return fence
