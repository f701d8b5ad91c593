"""When rounds run: one task for each pool, woken by changes and by time, never two rounds of a pool at once.

mark(key) ----> wait a moment for more (debounce) ----> round ----> sleep until marked or due
                                                          |
                                                          +-- an error: logged, tried again with back-off
"""

from __future__ import annotations

import asyncio
import enum
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from phalanx_operator.api.types import Key
from phalanx_operator.errors import ClusterError, FencedError
from phalanx_operator.logs import about
from phalanx_operator.reconcile.backoff import Backoff

logger = logging.getLogger(__name__)

DEBOUNCE_S: Final = 0.2
"""Changes come in groups (`kubectl apply -f dir/`); one round serves them all."""
ROUND_TIMEOUT_S: Final = 120.0
"""Every request of a round has its own, shorter timeout; this one is for what nobody thought of."""
STUCK_AFTER_S: Final = ROUND_TIMEOUT_S + 60.0
"""A pool whose task made no progress for that long makes the liveness probe fail."""
RETRY: Final = Backoff(initial_s=1.0, max_s=15.0)

JITTER: Final = 0.2
"""A wait after a failure is up to so much longer: pools that failed together are not tried again together."""

Round = Callable[[Key], Awaitable[float]]
"""Do one round; returns after how many seconds the next one is due."""


class Stage(enum.StrEnum):
    """Where a pool is on its way round."""

    DUE = "due"
    RUNNING = "running"
    WAITING = "waiting"
    FAILING = "failing"
    """Waiting to be tried again."""


@dataclass(slots=True)
class _Pool:
    task: asyncio.Task[None]
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    due_at: float = 0.0
    backoff: Backoff = RETRY
    stage: Stage = Stage.DUE


class Rounds:
    """Runs `round_` for every pool that was marked, until `forget` or `close`. `dice` in [0, 1) spreads the retries."""

    def __init__(self, round_: Round, *, dice: Callable[[], float] = random.random) -> None:
        self._round = round_
        self._dice = dice
        self._pools: dict[Key, _Pool] = {}

    def __repr__(self) -> str:
        return f"<Rounds of {len(self._pools)} pools>"

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._pools))

    def mark(self, key: Key) -> None:
        """Something about this pool may have changed. Cheap; call it as often as you like."""
        if key not in self._pools:
            task = asyncio.create_task(self._run(key), name=f"pool {key}")
            self._pools[key] = _Pool(task, due_at=asyncio.get_running_loop().time())
        self._pools[key].dirty.set()

    async def forget(self, key: Key) -> None:
        """The pool is gone: end its task, in the middle of a round if need be."""
        pool = self._pools.pop(key, None)
        if pool is not None:
            await _end(pool.task)

    async def close(self) -> None:
        """End all tasks."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await _end(pool.task)

    def stages(self) -> Counter[Stage]:
        """How many pools are where."""
        return Counter(pool.stage for pool in self._pools.values())

    def stuck(self) -> list[Key]:
        """Pools whose next round should have been over long ago."""
        now = asyncio.get_running_loop().time()
        return [key for key, pool in self._pools.items() if now - pool.due_at > STUCK_AFTER_S or pool.task.done()]

    async def _run(self, key: Key) -> None:
        await asyncio.sleep(0)  # until `mark` has stored this task
        pool = self._pools[key]
        while True:
            pool.stage = Stage.DUE
            await asyncio.sleep(DEBOUNCE_S)
            pool.stage = Stage.RUNNING
            pool.dirty.clear()
            delay_s, wakes = await self._try(key, pool)
            pool.due_at = asyncio.get_running_loop().time() + delay_s
            await _sleep(delay_s, wakes)

    async def _try(self, key: Key, pool: _Pool) -> tuple[float, asyncio.Event]:
        """One round. After a failure a change does not cut the wait short: it would meet the same failure."""
        try:
            async with asyncio.timeout(ROUND_TIMEOUT_S):
                delay_s = await self._round(key)
        except Exception as error:
            pool.backoff, pool.stage = pool.backoff.failed(), Stage.FAILING
            asked_s = error.retry_after_s if isinstance(error, ClusterError) else None
            delay_s = max(pool.backoff.delay_s, asked_s or 0.0) * (1 + JITTER * self._dice())
            # What the cluster refuses is said in one line; anything else is a defect, and its trace is needed.
            trace = None if isinstance(error, ClusterError) else error
            # A replica that steps down ends all rounds at once: nothing is wrong with any of them.
            level = logging.INFO if isinstance(error, FencedError) else logging.ERROR
            text = "pool %s: %s; next try in %.1f s"
            logger.log(level, text, key, _said(error), delay_s, exc_info=trace, extra=about(pool=key))
            return delay_s, asyncio.Event()
        pool.backoff, pool.stage = RETRY, Stage.WAITING
        return delay_s, pool.dirty


async def _sleep(delay_s: float, wakes: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(delay_s):
            await wakes.wait()
    except TimeoutError:
        pass


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
