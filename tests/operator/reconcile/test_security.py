"""What a pool allows, as rounds enforce it."""

from __future__ import annotations

from phalanx_operator.build import Versions
from phalanx_operator.observe.store import Ref
from tests.operator.objects import DIGEST, ensemble, pool
from tests.operator.reconcile.memory import POOL
from tests.operator.reconcile.scene import Scene, put

POLICY = Ref("NetworkPolicy", POOL)


async def test_a_network_policy_comes_and_goes_with_the_pools_mode(scene: Scene):
    put(scene, pool(networkPolicy={"mode": "Restricted"}), ensemble())
    await scene.settle()
    assert scene.cluster.live.get(POLICY) is not None
    put(scene, pool(), ensemble())
    await scene.round()
    assert scene.cluster.live.get(POLICY) is None
    scene.cluster.writes.clear()
    await scene.round()
    assert not [write for write in scene.cluster.writes if "NetworkPolicy" in write]


async def test_an_artifact_that_is_no_longer_allowed_leaves_the_plan_and_others_stay(scene: Scene):
    elsewhere = ensemble("other", artifact={"uri": "s3://models/other", "digest": DIGEST})
    put(scene, pool(), ensemble(), elsewhere)
    await scene.settle()
    assert [each.name for each in scene.cluster.plan.ensembles] == ["other", "sentiment"]
    put(scene, pool(artifacts={"allow": ["s3://models"]}))
    await scene.round()
    assert [each.name for each in scene.cluster.plan.ensembles] == ["other"]
    status, reason, message = scene.cluster.condition("StudentEnsemble", "sentiment", "Accepted")
    assert (status, reason) == ("False", "ArtifactNotAllowed")
    assert message.startswith("spec.artifact.uri: ")


async def test_a_pool_with_an_image_that_is_not_pinned_is_refused_and_what_was_built_stays(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    scene.cluster.writes.clear()
    scene.restart(Versions(worker_image="worker:1", image_by_digest=True))
    await scene.round()
    assert scene.cluster.condition("ServingPool", "gpus", "Accepted")[:2] == ("False", "ImageNotPinned")
    assert not [write for write in scene.cluster.writes if write.startswith(("apply", "delete"))]
