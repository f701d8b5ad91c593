"""All pools of a cluster: rounds for each, and a sweep for what belongs to none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import Final

from phalanx_operator import tally
from phalanx_operator.api.types import Key
from phalanx_operator.errors import ClusterError
from phalanx_operator.observe.store import Ref
from phalanx_operator.reconcile.orphans import sweep
from phalanx_operator.reconcile.pool import Reconciler
from phalanx_operator.reconcile.ports import Clock, Cluster, Note
from phalanx_operator.reconcile.rounds import DEBOUNCE_S, Rounds, Stage

logger = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 30.0
STALE_AFTER_S: Final = 4 * SWEEP_EVERY_S
"""A sweep that has not ended for that long makes the liveness probe fail."""


class Loop:
    """`mark` pools as things change; `run` until cancelled."""

    def __init__(self, cluster: Cluster, reconciler: Reconciler, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._reconciler = reconciler
        self._rounds = Rounds(self._round)
        self._changed = asyncio.Event()
        self._swept_at: float | None = None
        self._failing: set[Key] = set()

    def __repr__(self) -> str:
        return f"<Loop {self._rounds}>"

    def mark(self, key: Key) -> None:
        """Something about this pool, which need not exist, may have changed."""
        if self._cluster.store.get(Ref("ServingPool", key)) is not None:
            self._rounds.mark(key)
        self._changed.set()

    async def run(self) -> None:
        """Sweep whenever something changed, and from time to time; ends all rounds when cancelled.

        The first sweep waits for the first mark. Marks come once the store is complete: a sweep of half a store would
        refuse ensembles whose pool was not read yet.
        """
        try:
            await self._changed.wait()
            while True:
                self._changed.clear()
                await self._sweep()
                self._swept_at = asyncio.get_running_loop().time()
                await self._wait()
        finally:
            await self._rounds.close()

    def problem(self) -> str:
        """What keeps the operator from doing its work; empty if nothing does."""
        now = asyncio.get_running_loop().time()
        if self._swept_at is not None and now - self._swept_at > STALE_AFTER_S:
            return f"no sweep for {now - self._swept_at:.0f} s"
        stuck = self._rounds.stuck()
        return f"no round for long: {', '.join(map(str, stuck))}" if stuck else ""

    def stages(self) -> Counter[Stage]:
        """How many pools are where on their way round."""
        return self._rounds.stages()

    async def _sweep(self) -> None:
        for key in self._rounds:
            if self._cluster.store.get(Ref("ServingPool", key)) is None:
                await self._rounds.forget(key)
                self._failing.discard(key)
                self._reconciler.forget(key)
        try:
            await sweep(self._cluster, self._clock)
        except Exception as error:
            # Whatever is wrong with one resource must not end the loop; the next sweep tries again.
            logger.error("resources without a pool: %s", error, exc_info=error)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_EVERY_S):
                await self._changed.wait()
                await asyncio.sleep(DEBOUNCE_S)
        except TimeoutError:
            pass

    async def _round(self, key: Key) -> float:
        with tally.ROUND_SECONDS.time():
            try:
                delay_s = await self._reconciler.round(key)
            except ClusterError as error:
                tally.ROUNDS.labels(result="failed").inc()
                await self._tell(key, error)
                raise
            except BaseException:
                tally.ROUNDS.labels(result="failed").inc()
                raise
        self._failing.discard(key)
        tally.ROUNDS.labels(result="done").inc()
        return delay_s

    async def _tell(self, key: Key, error: ClusterError) -> None:
        """An event on the pool from the second failure in a row on: the first may be a conflict that passes."""
        pool = self._cluster.store.get(Ref("ServingPool", key))
        if key in self._failing and pool is not None:
            note = Note(reason="RoundFailed", action="Reconcile", text=f"{error}; it is tried again", warning=True)
            with contextlib.suppress(ClusterError):
                await self._cluster.record(pool, note)
        self._failing.add(key)
