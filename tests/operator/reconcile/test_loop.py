"""All pools of a cluster. Time is virtual."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from phalanx_operator.api.types import Key
from phalanx_operator.errors import ClusterError
from phalanx_operator.observe.store import Ref
from phalanx_operator.reconcile.loop import STALE_AFTER_S, Loop
from tests.operator.objects import ensemble, pool
from tests.operator.reconcile.memory import POOL, MemoryCluster

pytestmark = pytest.mark.looptime


def loop_of(cluster: MemoryCluster, ran: list[Key]) -> Loop:
    async def round_(key: Key) -> float:
        ran.append(key)
        return 1000.0

    reconciler: Any = SimpleNamespace(round=round_, forget=lambda key: ran.append(Key("forgot", key.name)))
    return Loop(cluster, reconciler, lambda: 0.0)


async def test_rounds_run_for_pools_that_exist_and_a_sweep_for_the_rest():
    cluster, ran = MemoryCluster(pool(), ensemble("lost", pool="none")), []
    loop = loop_of(cluster, ran)
    task = asyncio.create_task(loop.run())
    loop.mark(POOL)
    loop.mark(Key("default", "none"))
    await asyncio.sleep(5)
    assert ran == [POOL]
    assert cluster.condition("StudentEnsemble", "lost", "Accepted")[1] == "PoolNotFound"
    cluster.store.remove(Ref("ServingPool", POOL))
    loop.mark(POOL)
    await asyncio.sleep(5)
    assert ran == [POOL, Key("forgot", "gpus")]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_refused_before_the_store_is_complete():
    cluster = MemoryCluster(ensemble())
    loop = loop_of(cluster, [])
    task = asyncio.create_task(loop.run())
    await asyncio.sleep(1000)
    assert cluster.writes == []
    assert loop.problem() == ""
    cluster.put(pool())
    loop.mark(POOL)
    await asyncio.sleep(5)
    assert cluster.writes == [], "it belongs to a pool, whose round is to judge it"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_sweep_that_fails_ends_nothing(caplog):
    cluster = MemoryCluster(ensemble(pool="none"))
    cluster.refuse = {"status"}
    loop = loop_of(cluster, [])
    task = asyncio.create_task(loop.run())
    loop.mark(POOL)
    await asyncio.sleep(1)
    assert "resources without a pool" in caplog.text
    cluster.refuse = set()
    loop.mark(POOL)
    await asyncio.sleep(5)
    assert cluster.condition("StudentEnsemble", "sentiment", "Accepted")[0] == "False"
    assert loop.problem() == ""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_round_that_is_refused_again_and_again_is_told_on_the_pool():
    cluster, failing = MemoryCluster(pool()), [True, True, True, False, True]

    async def round_(key: Key) -> float:
        if failing.pop(0):
            raise ClusterError("PATCH deployments/gpus: denied by the image policy")
        return 0.1

    reconciler: Any = SimpleNamespace(round=round_, forget=lambda key: None)
    loop = Loop(cluster, reconciler, lambda: 0.0)
    task = asyncio.create_task(loop.run())
    loop.mark(POOL)
    while len(failing) > 1:
        await asyncio.sleep(0.1)
    assert [(note.reason, note.warning) for _, note in cluster.notes] == [("RoundFailed", True)] * 2
    assert cluster.notes[0][1].text == "PATCH deployments/gpus: denied by the image policy; it is tried again"
    while failing:
        await asyncio.sleep(0.1)
    assert len(cluster.notes) == 2, "the first failure after a success says nothing"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_loop_that_stopped_is_a_problem():
    loop = loop_of(MemoryCluster(), [])
    task = asyncio.create_task(loop.run())
    loop.mark(POOL)
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(STALE_AFTER_S + 1)
    assert "no sweep for" in loop.problem()
