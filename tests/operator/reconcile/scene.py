"""Rounds of a pool against a cluster in memory, with workers that really answer HTTP."""

from __future__ import annotations

from contextlib import AsyncExitStack

import aiohttp

from phalanx_operator.api.types import Manifest
from phalanx_operator.build import Versions
from phalanx_operator.reconcile.pool import Reconciler
from tests.operator.observe.workers import FakeWorker
from tests.operator.reconcile.memory import POOL, MemoryCluster

VERSIONS = Versions(worker_image="worker:1")


class Scene:
    """A cluster, its clock and its operator."""

    def __init__(self, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.cluster = MemoryCluster()
        self.now = 1_700_000_000.0
        self._session, self._stack = session, stack
        self.restart()

    def restart(self, versions: Versions = VERSIONS) -> None:
        """A new operator, which remembers nothing."""
        self.operator = Reconciler(self.cluster, session=self._session, clock=lambda: self.now, versions=versions)

    async def add_worker(self, name: str) -> FakeWorker:
        worker = await self._stack.enter_async_context(FakeWorker(name).serving())
        self.cluster.workers.append(worker)
        return worker

    async def round(self, *, after_s: float = 0.0) -> float:
        self.now += after_s
        return await self.operator.round(POOL)

    async def settle(self) -> None:
        """Rounds until nothing is written any more."""
        await self.round()
        for _ in range(10):
            self.cluster.serve()
            before = len(self.cluster.writes)
            await self.round(after_s=1.0)
            if len(self.cluster.writes) == before:
                return
        raise AssertionError(f"does not settle: {self.cluster.writes[-5:]}")


def put(scene: Scene, *objects: Manifest) -> None:
    for obj in objects:
        scene.cluster.put(obj)
