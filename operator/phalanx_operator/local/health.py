"""The three probes of a running container, in the kubelet's order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import aiohttp

from phalanx_operator.local.probes import Probe, Tally, ask


class Report(Protocol):
    """Told after each change of the container's state."""

    def __call__(self, *, started: bool, ready: bool) -> None: ...


class Health:
    """Probes of one run: start-up first, then readiness and liveness at the same time."""

    def __init__(self, probes: Mapping[str, Probe], *, host: str, report: Report) -> None:
        self._startup = probes.get("startupProbe")
        self._liveness = probes.get("livenessProbe")
        self._readiness = probes.get("readinessProbe")
        self._host = host
        self._report = report

    async def watch(self, session: aiohttp.ClientSession) -> str:
        """Probe for as long as all is well; returns why the process has to be restarted."""
        if self._startup is not None:
            problem = await self._until(session, self._startup, verdict=True)
            if problem:
                return f"start-up probe failed: {problem}"
        self._report(started=True, ready=self._readiness is None)
        readiness = asyncio.create_task(self._watch_readiness(session))
        try:
            if self._liveness is None:
                await asyncio.Event().wait()
                return ""
            return f"liveness probe failed: {await self._until(session, self._liveness, verdict=False)}"
        finally:
            readiness.cancel()
            await asyncio.gather(readiness, return_exceptions=True)

    async def _until(self, session: aiohttp.ClientSession, probe: Probe, *, verdict: bool) -> str:
        """Probe until the verdict is `verdict` or False; returns the last problem, empty if it passed."""
        tally = Tally()
        await asyncio.sleep(probe.initial_delay_s)
        while True:
            problem = await ask(session, probe, host=self._host)
            tally = tally.count(not problem, probe)
            if tally.passed is False or (verdict and tally.passed):
                return problem
            await asyncio.sleep(probe.period_s)

    async def _watch_readiness(self, session: aiohttp.ClientSession) -> None:
        if self._readiness is None:
            return
        tally = Tally()
        await asyncio.sleep(self._readiness.initial_delay_s)
        while True:
            tally = tally.count(not await ask(session, self._readiness, host=self._host), self._readiness)
            self._report(started=True, ready=tally.passed is True)
            await asyncio.sleep(self._readiness.period_s)
