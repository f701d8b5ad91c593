"""Terms of a replica: a loop while the fence is open, and none otherwise. Time is virtual."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phalanx_operator.api.types import Key
from phalanx_operator.errors import FencedError
from phalanx_operator.handlers.terms import Terms
from phalanx_operator.lead.fence import Fence
from phalanx_operator.reconcile.loop import Loop
from tests.operator.objects import pool
from tests.operator.reconcile.memory import POOL, MemoryCluster

pytestmark = pytest.mark.looptime


class Rounds:
    """A reconciler whose rounds write through a fence, every second."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self.wrote_at: list[float] = []
        self.begun = 0

    async def round(self, key: Key) -> float:
        with self._fence.admit():
            self.wrote_at.append(asyncio.get_running_loop().time())
        return 1.0

    def forget(self, key: Key) -> None:
        pass


class Scene:
    def __init__(self) -> None:
        self.cluster = MemoryCluster(pool())
        self.fence = Fence(asyncio.get_running_loop().time)
        self.rounds = Rounds(self.fence)
        self.read = 0
        self.terms = Terms(self.fence, self.cluster.store, begin=self.begin, catch_up=self.catch_up)
        self.task = asyncio.create_task(self.terms.run())

    def begin(self) -> Loop:
        self.rounds.begun += 1
        reconciler: Any = self.rounds
        return Loop(self.cluster, reconciler, lambda: 0.0)

    async def catch_up(self) -> None:
        self.read += 1

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_standby_runs_no_rounds_however_often_pools_are_marked():
    scene = Scene()
    for _ in range(10):
        scene.terms.mark(POOL)
        await asyncio.sleep(10)
    assert (scene.rounds.wrote_at, scene.rounds.begun, scene.read) == ([], 0, 0)
    assert scene.terms.problem() == ""
    await scene.end()


async def test_a_term_begins_with_a_list_and_a_round_of_every_pool_and_ends_with_the_lease():
    scene = Scene()
    scene.fence.extend(until=10.0, over=12.5)
    await asyncio.sleep(60)
    assert (scene.read, scene.rounds.begun) == (1, 1)
    assert scene.rounds.wrote_at[0] < 1
    assert max(scene.rounds.wrote_at) < 10
    assert len(scene.rounds.wrote_at) > 5
    assert scene.terms.problem() == "", "a standby is not stuck"
    await scene.end()


async def test_each_term_begins_with_nothing_remembered():
    scene = Scene()
    for start in (0.0, 30.0):
        scene.fence.extend(until=start + 10, over=start + 12.5)
        await asyncio.sleep(30)
    assert (scene.read, scene.rounds.begun) == (2, 2)
    await scene.end()


async def test_a_loop_that_breaks_ends_the_replica_rather_than_leading_without_one():
    scene = Scene()

    async def broken() -> None:
        raise FencedError("whatever")

    scene.terms._catch_up = broken
    scene.fence.extend(until=1000.0, over=1000.0)
    with pytest.raises(FencedError):
        await asyncio.wait_for(scene.task, 10)
