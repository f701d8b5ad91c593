"""Who gets the device's adapter slots, when more tenants ask than there are slots.

A request pins the slot of its tenant's adapter until it is over. A tenant that has a slot pins it at once; one that has
none waits in a queue until its adapter is in a slot that nobody uses. Tenants that are always busy would never leave
one: so whoever has waited for a grace keeps new pins from a slot, of those that were not used for longest and of half
of all at most. It is idle when its requests are over, and handed over. Who was kept from it queues like everybody else,
so nobody waits longer than those before it take; and an adapter that comes serves all who wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from phalanx_grid import AdapterNotLoaded, AdapterTable, AdapterTableFull, AdapterWeights
from phalanx_server.errors import Overloaded, Unavailable

GRACE_S: Final = 0.05
"""So long a request waits for a slot to become idle by itself."""


class Borrower(Protocol):
    """A tenant. Its weights and their digest change together, also while it waits; None means that there are none."""

    weights: AdapterWeights | None
    digest: str

    @property
    def why(self) -> str:
        """Why there are none, for its user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A pinned slot (0: the base model, which needs no pin) and the labels of the readout in it."""

    slot: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A request of `count` texts, and what it is to get."""

    borrower: Borrower
    count: int
    since_s: float
    lease: asyncio.Future[Lease]


@dataclass(slots=True, eq=False)
class Leases:
    """The pins on one table. Lives on the event loop; `run` calls on a loader thread, where adapters are written."""

    table: AdapterTable
    run: Callable[..., Any]
    _waiting: list[_Waiter] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _barred: frozenset[str] = frozenset()
    _handing: asyncio.Task[None] | None = None

    async def lease(self, borrower: Borrower, count: int, *, wait_s: float) -> Lease:
        """Pin the borrower's adapter `count` times, once for each text; each is released when its text is over.

        Raises:
            Unavailable: it is not loaded. Overloaded: no slot came within `wait_s`.
        """
        lease = self._pin(borrower, count) if borrower.digest not in self._barred else None
        if lease is not None:
            return lease
        loop = asyncio.get_running_loop()
        waiter = _Waiter(borrower, count, loop.time(), loop.create_future())
        self._waiting.append(waiter)
        if self._handing is None:
            self._handing = asyncio.create_task(self._hand_over(), name="adapter slots")
        try:
            async with asyncio.timeout(wait_s):
                return await waiter.lease
        except TimeoutError:
            self._give_back(waiter)
            raise Overloaded("overloaded: too many tenants at once for the adapter slots", retry_after_s=1.0) from None
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise

    def release(self, slot: int) -> None:
        """Undo one pin; slot 0 has none."""
        if slot:
            self.table.release(slot)
            self._changed.set()

    def _pin(self, borrower: Borrower, count: int) -> Lease | None:
        """All pins or none; a removal on another thread may come in between."""
        if borrower.weights is None:
            raise Unavailable(borrower.why, retry_after_s=1.0)
        pinned: list[int] = []
        try:
            for _ in range(count):
                pinned.append(self.table.acquire(borrower.digest))
        except AdapterNotLoaded:
            for slot in pinned:
                self.table.release(slot)
            return None
        return Lease(slot=pinned[0], labels=borrower.weights.labels)

    def _give_back(self, waiter: _Waiter) -> None:
        """Its request is gone; the lease may have come at the same moment."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif waiter.lease.done() and not waiter.lease.cancelled() and waiter.lease.exception() is None:
            for _ in range(waiter.count):
                self.release(waiter.lease.result().slot)
        self._changed.set()

    async def _hand_over(self) -> None:
        """Serve the queue until it is empty, the first first."""
        try:
            while self._waiting:
                self._changed.clear()
                first = self._waiting[0].borrower
                try:
                    placed = await self._place(first)
                except Exception as error:
                    self._refuse(first, error)
                    continue
                self._bar()
                if placed:
                    self._serve(first)
                else:
                    await self._idle_slot()
        finally:
            self._handing, self._barred = None, frozenset()

    async def _place(self, borrower: Borrower) -> bool:
        """Whether the borrower's adapter is in a slot now."""
        if borrower.weights is None:
            raise Unavailable(borrower.why, retry_after_s=1.0)
        try:
            await self.run(self.table.put, borrower.digest, borrower.weights)
        except AdapterTableFull:
            return False
        return True

    async def _idle_slot(self) -> None:
        """Wait until a pin is released, somebody leaves, or the grace of the first is over."""
        if self._waiting:
            left_s = self._waiting[0].since_s + GRACE_S - asyncio.get_running_loop().time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s if left_s > 0 else None):
                    await self._changed.wait()

    def _bar(self) -> None:
        """Which slots take no new pins."""
        before_s = asyncio.get_running_loop().time() - GRACE_S
        waiting = [each.borrower.digest for each in self._waiting if each.since_s <= before_s]
        self._barred = barred(self.table.digests, waiting, slots=self.table.slots)

    def _serve(self, borrower: Borrower) -> None:
        """Give leases to all who wait for the same."""
        for waiter in self._alike(borrower):
            lease = self._pin(waiter.borrower, waiter.count)
            if lease is None:
                return
            self._waiting.remove(waiter)
            waiter.lease.set_result(lease)

    def _refuse(self, borrower: Borrower, error: Exception) -> None:
        """Tell all who wait for the same what is wrong with it."""
        for waiter in self._alike(borrower):
            self._waiting.remove(waiter)
            waiter.lease.set_exception(error)

    def _alike(self, borrower: Borrower) -> list[_Waiter]:
        """Who waits for the same adapter. Whose request has just been cancelled is about to leave by itself."""
        return [each for each in self._waiting if each.borrower.digest == borrower.digest and not each.lease.done()]


def barred(digests: Sequence[str], waiting: Iterable[str], *, slots: int) -> frozenset[str]:
    """The adapters that take no new pins: of `digests`, the least recently used first, one for each that waits in vain.

    At most half of the slots, and one at least, however many wait.
    """
    coming = set(waiting).difference(digests)
    return frozenset(islice(digests, min(len(coming), max(slots // 2, 1))))
