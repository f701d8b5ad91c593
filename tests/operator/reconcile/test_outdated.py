"""A new operator beside workers of the previous release: they can read every plan, and what waits for them is told."""

from __future__ import annotations

from tests.operator.reconcile.scene import Scene, put
from tests.operator.reconcile.test_rolling import NEW, planned, renewed, served, status


def make_old(scene: Scene, *names: str) -> None:
    """These report as workers did that knew no candidates."""
    for worker in scene.cluster.workers:
        if worker.name in names:
            del worker.status["plan_revision"]


async def test_a_new_artifact_waits_for_the_last_worker_of_an_earlier_release_and_is_told(scene: Scene):
    await served(scene)
    make_old(scene, "w-1")
    before = planned(scene)
    put(scene, renewed())
    await scene.round(after_s=1.0)
    assert planned(scene) == before, "a plan with a candidate would be refused whole"
    for kind, name in (("ServingPool", "gpus"), ("StudentEnsemble", "sentiment")):
        state, reason, message = scene.cluster.condition(kind, name, "PlanServed")
        assert (state, reason) == ("False", "WorkersOutdated")
        assert "w-1 is of an earlier release" in message and "sentiment waits, and what serves goes on" in message
    await scene.round(after_s=3600.0)
    assert status(scene)["rollout"]["stage"] == "Warming", "an upgrade may take longer than a load may"
    decision = status(scene)["rolloutDecision"]
    assert (decision["action"], decision["reason"]) == ("Hold", "CandidateWarming")
    assert "it waits until w-1 is replaced" in decision["message"]
    scene.restart()
    scene.cluster.serve()
    await scene.round(after_s=1.0)
    found = planned(scene).candidate
    assert found is not None and found.artifact.digest == NEW
    await scene.settle()
    assert planned(scene).artifact.digest == NEW
    assert scene.cluster.condition("ServingPool", "gpus", "Ready")[0] == "True"


async def test_a_plan_that_asks_for_nothing_new_is_served_by_both_releases_workers(scene: Scene):
    await served(scene)
    make_old(scene, "w-0", "w-1")
    await scene.round(after_s=1.0)
    assert scene.cluster.condition("ServingPool", "gpus", "PlanServed")[:2] == ("True", "PlanCurrent")
    assert scene.cluster.condition("ServingPool", "gpus", "Ready")[0] == "True"
