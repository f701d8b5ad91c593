"""The Deployment's strategy while a further pod fits, and when it does not."""

from __future__ import annotations

from typing import Any

from phalanx_operator.observe.store import Ref
from tests.operator.objects import ensemble, pool
from tests.operator.reconcile.memory import POOL
from tests.operator.reconcile.scene import Scene, put


def strategy(scene: Scene) -> dict[str, int]:
    live = scene.cluster.live.get(Ref("Deployment", POOL))
    assert live is not None
    numbers: dict[str, int] = live["spec"]["strategy"]["rollingUpdate"]
    return numbers


def rolled(scene: Scene, **status: Any) -> None:
    """What the Deployment's controller says."""
    live = scene.cluster.live.get(Ref("Deployment", POOL))
    assert live is not None
    scene.cluster.live.put({**live, "status": status})


async def test_a_pool_that_tries_a_further_pod_falls_back_says_so_and_tries_again_the_next_time(scene: Scene):
    put(scene, pool(rollout={"surge": "WhenItFits"}), ensemble())
    await scene.add_worker("w-0")
    await scene.settle()
    assert strategy(scene) == {"maxSurge": 1, "maxUnavailable": 0}
    await scene.add_worker("w-1")
    scene.cluster.unschedulable["w-1"] = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    rolled(scene, replicas=2, updatedReplicas=1)
    await scene.round(after_s=1.0)
    assert strategy(scene) == {"maxSurge": 1, "maxUnavailable": 0}
    assert scene.cluster.status("ServingPool", "gpus")["rolloutDecision"]["reason"] == "SurgeWaits"
    await scene.round(after_s=61.0)
    assert strategy(scene) == {"maxSurge": 0, "maxUnavailable": 1}
    told = scene.cluster.status("ServingPool", "gpus")["rolloutDecision"]
    assert (told["action"], told["reason"]) == ("Lower", "SurgeDoesNotFit")
    assert "Insufficient nvidia.com/gpu" in told["message"]
    notes = [(note.action, note.reason) for name, note in scene.cluster.notes if name == "gpus"]
    assert notes.count(("RollOutWithoutSurge", "SurgeDoesNotFit")) == 1
    rolled(scene, replicas=2, updatedReplicas=1)
    await scene.round(after_s=1.0)
    assert scene.cluster.status("ServingPool", "gpus")["rolloutDecision"] == told, "and it stays to be read"
    scene.cluster.unschedulable.clear()
    rolled(scene, replicas=1, updatedReplicas=1)
    await scene.round(after_s=1.0)
    assert strategy(scene) == {"maxSurge": 1, "maxUnavailable": 0}


async def test_a_pool_whose_quota_has_no_further_pod_falls_back_too(scene: Scene):
    put(scene, pool(rollout={"surge": "WhenItFits"}), ensemble())
    await scene.add_worker("w-0")
    await scene.settle()
    said = 'pods "gpus-7d-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1'
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}
    rolled(scene, replicas=1, updatedReplicas=0, conditions=[refused])
    await scene.round(after_s=1.0)
    await scene.round(after_s=61.0)
    assert strategy(scene) == {"maxSurge": 0, "maxUnavailable": 1}
    told = scene.cluster.status("ServingPool", "gpus")["rolloutDecision"]
    assert told["reason"] == "SurgeDoesNotFit" and said in told["message"]
