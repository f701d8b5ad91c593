"""One replica of the operator.

    Kopf's watches --> store, always current, also on a standby
    election --------> fence --> terms: while it is open, the loop over all pools
                          \\---> every write of the API client

The end comes in the order in which it is safe: no write begins; those under way end; the loop ends; the lease is
released; Kopf ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

import aiohttp
import kopf

from phalanx_operator import tally
from phalanx_operator.apply.api import KubeApi
from phalanx_operator.build import Versions
from phalanx_operator.handlers.cluster import KubernetesCluster
from phalanx_operator.handlers.pulse import Pulse
from phalanx_operator.handlers.resync import catch_up, resync_forever
from phalanx_operator.handlers.terms import Terms
from phalanx_operator.handlers.watch import Watch, register
from phalanx_operator.lead.elector import Elector
from phalanx_operator.lead.fence import Fence
from phalanx_operator.reconcile.census import Census
from phalanx_operator.reconcile.loop import Loop
from phalanx_operator.reconcile.pool import Reconciler
from phalanx_operator.reconcile.rounds import Stage

logger = logging.getLogger(__name__)

DRAIN_S: Final = 5.0
"""How long the end waits for writes under way before it leaves the lease to run out instead."""


class Replica:
    """`elector` None: there is no other, and the fence is open. `namespaces` empty: the whole cluster."""

    def __init__(
        self,
        api: KubeApi,
        session: aiohttp.ClientSession,
        fence: Fence,
        elector: Elector | None,
        *,
        namespaces: tuple[str, ...],
    ) -> None:
        self._api, self._session = api, session
        self._fence, self._elector = fence, elector
        self._namespaces = namespaces
        self._started = asyncio.Event()
        self._pulse = Pulse()
        self._terms: Terms | None = None
        tally.LEADER.set_function(lambda: float(fence.is_open))

    def __repr__(self) -> str:
        return f"<Replica {self._fence} {self._terms}>"

    def problem(self) -> str:
        """What a restart might mend: a loop, an election or a watch that is stuck. Empty if nothing is."""
        if self._terms is None or not self._started.is_set():
            return ""
        election = self._elector.problem() if self._elector is not None else ""
        return self._terms.problem() or election or self._pulse.problem(time.monotonic())

    def waits(self) -> str:
        """What keeps this replica from taking over; a standby that could is ready."""
        return "" if self._started.is_set() else "the resources are being read"

    async def run(self, versions: Versions, stop: asyncio.Event, *, on_kopf: Callable[[], None]) -> None:
        """Until `stop`. A part that ends before that ends all of them, and what it raised is raised here."""
        cluster = KubernetesCluster(self._api, policy_api=versions.policy_api)

        def begin() -> Loop:
            reconciler = Reconciler(cluster, session=self._session, clock=time.time, versions=versions)
            return Loop(cluster, reconciler, time.time)

        async def read_all() -> None:
            await catch_up(cluster, watch.feed, terms.mark, self._namespaces)

        terms = Terms(self._fence, cluster.store, begin=begin, catch_up=read_all)
        watch = Watch(cluster.store, cluster.made, terms.mark, pulse=self._pulse)
        self._terms = terms
        census = Census(cluster.store, speaks=lambda: self._fence.is_open)
        tally.REGISTRY.register(census)
        for stage in Stage:
            tally.POOLS.labels(state=stage).set_function(partial(terms.pools, stage))
        quit_kopf = asyncio.Event()
        # Kopf cancels every task that began after it did when it ends, so it is the last to begin, and the last to end.
        parts = [
            _part("stop", stop.wait()),
            _part("terms", self._after_start(terms.run)),
            _part("resync", resync_forever(cluster, watch.feed, terms.mark, self._namespaces, self._pulse)),
        ]
        if self._elector is not None:
            parts.append(_part("election", self._after_start(self._elector.run)))
        kopf_part = _part("kopf", self._kopf(cluster, watch, quit_kopf, on_kopf))
        try:
            ended, _ = await asyncio.wait({*parts, kopf_part}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._step_down(parts)
            quit_kopf.set()
            await asyncio.gather(kopf_part, return_exceptions=True)
            tally.REGISTRY.unregister(census)
        for part in ended:
            part.result()

    async def _after_start(self, work: Callable[[], Awaitable[None]]) -> None:
        """A replica that has not read the resources yet does not stand for election."""
        await self._started.wait()
        await work()

    async def _kopf(
        self, cluster: KubernetesCluster, watch: Watch, quit_kopf: asyncio.Event, on_kopf: Callable[[], None]
    ) -> None:
        registry = kopf.OperatorRegistry()
        register(registry, watch, namespaced=bool(self._namespaces), made=cluster.kinds)
        others = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=registry,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=quit_kopf,
            ready_flag=self._started,
        )
        on_kopf()
        await kopf.run_tasks(tasks, ignored=others)

    async def _step_down(self, parts: list[asyncio.Task[Any]]) -> None:
        """End all but Kopf, and hand the lease over if nothing of ours can be written any more."""
        # The election first, or a renewal would open the fence again.
        await _end(part for part in parts if part.get_name() == "election")
        self._fence.close()
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._fence.drained()
        except TimeoutError:
            logger.warning("writes are still under way after %g s: the lease is left to run out", DRAIN_S)
            await _end(parts)
        else:
            await _end(parts)
            if self._elector is not None:
                await self._elector.release()


def _part(name: str, work: Awaitable[Any]) -> asyncio.Task[Any]:
    async def awaited() -> Any:
        return await work

    return asyncio.create_task(awaited(), name=name)


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
