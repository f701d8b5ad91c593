"""A term: the loop over all pools, for as long as this replica leads.

A term begins as a restart does, with nothing remembered: what was decided is read from statuses and plans. A standby
keeps its store current and runs no loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from phalanx_operator import tally
from phalanx_operator.api.types import Key
from phalanx_operator.lead.fence import Fence
from phalanx_operator.observe.store import Store, ref_of
from phalanx_operator.reconcile.loop import Loop
from phalanx_operator.reconcile.rounds import Stage

logger = logging.getLogger(__name__)


class Terms:
    """`run` until cancelled. `begin` makes the loop of a term; `catch_up` makes the store current before that."""

    def __init__(
        self, fence: Fence, store: Store, *, begin: Callable[[], Loop], catch_up: Callable[[], Awaitable[None]]
    ) -> None:
        self._fence = fence
        self._store = store
        self._begin = begin
        self._catch_up = catch_up
        self._loop: Loop | None = None

    def __repr__(self) -> str:
        return f"<Terms {self._loop or 'standing by'}>"

    def mark(self, key: Key) -> None:
        """Something about this pool may have changed. A standby has nothing to do about it."""
        if self._loop is not None:
            self._loop.mark(key)

    def problem(self) -> str:
        """What keeps the loop of this term from its work; a standby has none."""
        return self._loop.problem() if self._loop is not None else ""

    def pools(self, stage: Stage) -> int:
        """How many pools are at this stage; none are on a standby."""
        return self._loop.stages()[stage] if self._loop is not None else 0

    async def run(self) -> None:
        """Lead and stand by, again and again. Raises what ends a loop that should not end."""
        while True:
            await self._fence.opened()
            tally.TERMS.inc()
            try:
                await self._while_open(self._term)
            finally:
                self._loop = None

    async def _term(self) -> None:
        # What the leader before wrote last may not have come through the watches yet.
        await self._catch_up()
        self._loop = self._begin()
        for kind in ("ServingPool", "StudentEnsemble", "TenantAdapter"):
            for obj in self._store.all_of(kind):
                self._loop.mark(ref_of(obj).key)
        await self._loop.run()

    async def _while_open(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work until it ends, which is a failure, or the fence closes."""
        working = asyncio.ensure_future(work())
        closing = asyncio.ensure_future(self._fence.closed())
        try:
            await asyncio.wait({working, closing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                raise RuntimeError("the loop over the pools ended by itself")
        finally:
            for task in (working, closing):
                task.cancel()
            await asyncio.gather(working, closing, return_exceptions=True)
