"""Takes part in the election for as long as the process runs, and opens the fence while it leads."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final, Protocol

from phalanx_operator.errors import ClusterError
from phalanx_operator.lead.election import (
    NOBODY,
    Candidate,
    Record,
    Timing,
    claim,
    leads,
    may_begin_until,
    observed,
    over_by,
    released,
    wrote,
)
from phalanx_operator.lead.fence import Clock, Fence, steady_clock
from phalanx_operator.lead.record import stamp

logger = logging.getLogger(__name__)

STALE_AFTER_S: Final = 60.0
"""An election that took no step for that long makes the liveness probe fail; each step's requests end far sooner."""
JITTER: Final = 0.2
"""Standbys look at the lease a little later than `retry_s`, each time by another part of it, so not all at once."""


class Shared(Protocol):
    """The lease; both may raise ClusterError, `write` also when the version is not the newest."""

    async def read(self) -> Record | None:
        """What it says; None if there is none."""

    async def write(self, record: Record) -> Record:
        """Replace the version that the record names."""


class Elector:
    """`run` until cancelled; then `release`, once nothing is under way any more."""

    def __init__(
        self,
        lease: Shared,
        fence: Fence,
        *,
        identity: str,
        timing: Timing | None = None,
        clock: Clock = steady_clock,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._lease = lease
        self._fence = fence
        self._clock = clock
        self._dice = dice
        self._candidate = Candidate(identity=identity, timing=timing or Timing())
        self._current = False
        """Whether the version that was seen last is the newest, as far as this replica can know."""
        self._leads = False
        self._holder = ""
        self._stepped_at = clock()

    def __repr__(self) -> str:
        return f"<Elector {self._candidate.identity} {self._fence}>"

    async def run(self) -> None:
        """Until cancelled: renew while it leads, watch the lease otherwise."""
        while True:
            await self._step()
            self._stepped_at = self._clock()
            await asyncio.sleep(self._pause_s())

    async def release(self) -> None:
        """Give the lease away, so that another replica need not wait for its end. Best effort."""
        record = released(self._candidate, stamp=stamp(time.time()))
        self._candidate = Candidate(identity=self._candidate.identity, timing=self._candidate.timing)
        self._fence.close()
        if record is not None:
            try:
                await self._lease.write(record)
            except ClusterError as error:
                logger.warning("the lease could not be released, it runs out by itself: %s", error)
            else:
                logger.info("released the lease")

    def problem(self) -> str:
        """What keeps this replica from taking part; empty if nothing does. A standby has none."""
        idle_s = self._clock() - self._stepped_at
        return f"no step of the election for {idle_s:.0f} s" if idle_s > STALE_AFTER_S else ""

    async def _step(self) -> None:
        try:
            if not self._current:
                record = await self._lease.read()
                self._take(observed(self._candidate, record, now=self._clock()))
            await self._claim()
        except ClusterError as error:
            # Also where another one was faster. What is true now is read in the next step.
            self._current = False
            logger.warning("lease: %s", error)
        self._tell()

    async def _claim(self) -> None:
        asked_at = self._clock()
        record = claim(self._candidate, now=asked_at, stamp=stamp(time.time()))
        if record is None:
            return
        written = await self._lease.write(record)
        self._current = True
        self._take(wrote(self._candidate, written, asked_at=asked_at, now=self._clock()))

    def _take(self, candidate: Candidate) -> None:
        """Make this the state, and the fence what follows from it."""
        self._candidate = candidate
        until, over = may_begin_until(candidate), over_by(candidate)
        if until is None or over is None:
            self._current = False
            self._fence.close()
        else:
            self._fence.extend(until=until, over=over)

    def _tell(self) -> None:
        """Once for each change, and for each new holder on a standby."""
        led, self._leads = self._leads, leads(self._candidate, now=self._clock())
        holder = self._candidate.seen.holder if self._candidate.seen is not None else ""
        if self._leads and not led:
            logger.info("%s leads: it holds the lease", self._candidate.identity)
        elif led and not self._leads:
            logger.warning("%s leads no more: it lost the lease, or could not renew it", self._candidate.identity)
        if not self._leads and holder != self._holder:
            logger.info("%s stands by: %s holds the lease", self._candidate.identity, holder or NOBODY)
        self._holder = holder

    def _pause_s(self) -> float:
        retry_s = self._candidate.timing.retry_s
        return retry_s if self._fence.is_open else retry_s * (1 + JITTER * self._dice())
