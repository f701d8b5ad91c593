"""Rounds of a pool: what is written, when, and what is told."""

from __future__ import annotations

import base64

import pytest

from phalanx_contract import metrics
from phalanx_contract.runtime import ANNOTATION_BUILT
from phalanx_operator.errors import ClusterError
from phalanx_operator.observe.store import Ref, ref_of
from phalanx_operator.reconcile.orphans import sweep
from phalanx_operator.reconcile.pool import GONE_S, UNSETTLED_S
from tests.operator.objects import adapter, ensemble, pool
from tests.operator.reconcile.memory import POOL
from tests.operator.reconcile.scene import Scene, put


async def test_a_new_pool_gets_its_children_in_order_and_then_nothing_more_is_written(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.add_worker("w-0")
    assert await scene.round() == UNSETTLED_S
    applied = [write.removeprefix("apply ") for write in scene.cluster.writes if write.startswith("apply")]
    assert applied == ["ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"]
    await scene.settle()
    assert scene.cluster.condition("ServingPool", "gpus", "Ready")[0] == "True"
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Ready")[0] == "True"
    scene.cluster.writes.clear()
    assert await scene.round(after_s=1.0) == 10.0, "settled: next time is the metrics interval"
    assert scene.cluster.writes == []


async def test_a_changed_bound_reaches_the_plan_and_touches_pods_but_not_the_deployment(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.add_worker("w-0")
    await scene.settle()
    scene.cluster.writes.clear()
    put(scene, ensemble(students={"max": 2}))
    await scene.round()
    assert scene.cluster.plan.ensembles[0].cut.students_ceiling == 2
    assert "apply ConfigMap" in scene.cluster.writes
    assert "touch w-0" in scene.cluster.writes
    assert "apply Deployment" not in scene.cluster.writes
    assert scene.cluster.condition("ServingPool", "gpus", "PlanServed")[0] == "False"


async def test_a_bad_ensemble_disturbs_no_other(scene: Scene):
    put(scene, pool(), ensemble("good"), ensemble("bad", students={"min": 3, "max": 2}), adapter(ensemble="bad"))
    await scene.add_worker("w-0")
    await scene.settle()
    assert [each.name for each in scene.cluster.plan.ensembles] == ["good"]
    assert scene.cluster.condition("StudentEnsemble", "good", "Ready")[0] == "True"
    status, reason, message = scene.cluster.condition("StudentEnsemble", "bad", "Accepted")
    assert (status, reason) == ("False", "InvalidSpec")
    assert message.startswith("spec.students")
    assert scene.cluster.condition("TenantAdapter", "acme", "Accepted")[1] == "EnsembleNotAccepted"
    assert any(name == "bad" and note.warning for name, note in scene.cluster.notes)


async def test_an_invalid_pool_keeps_what_was_built_before(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    before = scene.cluster.plan
    put(scene, pool(rollout={"maxSurge": 0, "maxUnavailable": 0}))
    assert await scene.round() == GONE_S
    assert scene.cluster.condition("ServingPool", "gpus", "Accepted")[0] == "False"
    assert scene.cluster.plan == before


async def test_an_adapter_waits_for_its_secret_and_is_never_served_without(scene: Scene):
    put(scene, pool(), ensemble(), adapter(apiKeySecret={"name": "acme-key"}))
    await scene.settle()
    assert scene.cluster.condition("TenantAdapter", "acme", "Accepted")[1] == "SecretNotFound"
    assert scene.cluster.plan.ensembles[0].adapters == ()
    key = base64.b64encode(b"hunter2").decode()
    put(scene, {"kind": "Secret", "metadata": {"name": "acme-key"}, "data": {"apiKey": key}})
    await scene.round()
    (served,) = scene.cluster.plan.ensembles[0].adapters
    assert served.api_key is not None
    assert "hunter2" not in repr(scene.cluster.plan)
    scene.cluster.writes.clear()
    await scene.round()
    assert "apply ConfigMap" not in scene.cluster.writes, "the salt is the same in every round"


async def test_load_lowers_the_ceiling_and_a_restarted_operator_keeps_it(scene: Scene):
    put(scene, pool(metrics={"interval": "1s"}), ensemble())
    worker = await scene.add_worker("w-0")
    await scene.settle()
    for students in (1, 2, 3):
        worker.metric(metrics.CAPACITY).labels(ensemble="sentiment", students=str(students)).set(3000 / students)
    for _ in range(5):
        worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="sentiment").inc(1400)
        worker.metric(metrics.REQUEST_SECONDS).labels(ensemble="sentiment").observe(0.01)
        await scene.round(after_s=1.0)
        scene.cluster.serve()
    lowered = scene.cluster.plan.ensembles[0].cut.students_ceiling
    assert lowered is not None and lowered < 3
    assert scene.cluster.status("StudentEnsemble", "sentiment")["students"]["lowered"]
    assert ("sentiment", "Overloaded") in [(name, note.reason) for name, note in scene.cluster.notes]
    scene.restart()
    await scene.round(after_s=1.0)
    assert scene.cluster.plan.ensembles[0].cut.students_ceiling == lowered


async def test_an_operator_that_starts_again_writes_nothing_where_all_is_as_it_should_be(scene: Scene):
    put(scene, pool(), ensemble(), adapter())
    await scene.add_worker("w-0")
    await scene.settle()
    scene.restart()
    scene.cluster.writes.clear()
    await scene.settle()
    assert scene.cluster.writes == []


async def test_an_operator_that_starts_again_mends_what_was_changed_or_was_built_otherwise(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    changed, older = scene.cluster.live.get(Ref("Service", POOL)), scene.cluster.live.get(Ref("Deployment", POOL))
    assert changed is not None and older is not None
    scene.cluster.live.put({**changed, "spec": {**changed["spec"], "selector": {"app": "other"}}})
    annotations = older["metadata"]["annotations"] | {ANNOTATION_BUILT: "sha256:of-a-release-that-set-more"}
    scene.cluster.live.put({**older, "metadata": {**older["metadata"], "annotations": annotations}})
    scene.restart()
    scene.cluster.writes.clear()
    await scene.settle()
    assert [each for each in scene.cluster.writes if each.startswith("apply")] == ["apply Deployment", "apply Service"]


def scaled(scene: Scene, replicas: int, manager: str) -> None:
    """Somebody else scales the Deployment, as an API server would note it."""
    live = scene.cluster.live.get(Ref("Deployment", POOL))
    assert live is not None
    entry = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    metadata = {**live["metadata"], "managedFields": [entry]}
    scene.cluster.live.put({**live, "metadata": metadata, "spec": {**live["spec"], "replicas": replicas}})


def replicas(scene: Scene) -> int | None:
    """What the Deployment was told last."""
    live = scene.cluster.live.get(Ref("Deployment", POOL))
    assert live is not None
    count: int | None = live["spec"].get("replicas")
    return count


async def test_without_a_sign_of_load_the_live_number_is_kept(scene: Scene):
    put(scene, pool(replicas={"min": 1, "max": 8}), ensemble())
    await scene.settle()
    scaled(scene, 5, "kubectl")
    put(scene, pool(replicas={"min": 1, "max": 8}, worker={"image": "worker:2"}))
    await scene.round()
    assert replicas(scene) == 5
    assert scene.cluster.status("ServingPool", "gpus")["decision"]["reason"] == "MetricsMissing"


async def test_an_external_count_is_written_and_kept(scene: Scene):
    put(scene, pool(autoscaling="External", replicas={"min": 1, "max": 8, "count": 2}), ensemble())
    await scene.settle()
    assert replicas(scene) == 2
    scaled(scene, 5, "kubectl")
    await scene.round(after_s=61.0)
    assert replicas(scene) == 2
    put(scene, pool(autoscaling="External", replicas={"min": 1, "max": 8, "count": 4}))
    await scene.round()
    assert replicas(scene) == 4
    assert scene.cluster.status("ServingPool", "gpus")["wanted"] == 4


async def test_with_autoscaling_off_a_number_that_somebody_else_wrote_is_never_written(scene: Scene):
    put(scene, pool(autoscaling="Off", replicas={"min": 1, "max": 8, "count": 2}), ensemble())
    await scene.settle()
    assert replicas(scene) == 2
    scaled(scene, 5, "hpa")
    put(scene, pool(autoscaling="Off", replicas={"min": 1, "max": 8}, worker={"image": "worker:2"}))
    await scene.round()
    assert replicas(scene) is None, "the manifest leaves the field out"


async def test_load_that_lasts_brings_workers_and_says_so(scene: Scene):
    put(scene, pool(metrics={"interval": "1s"}, replicas={"min": 1, "max": 8}), ensemble())
    worker = await scene.add_worker("w-0")
    await scene.settle()
    for students in (1, 2, 3):
        worker.metric(metrics.CAPACITY).labels(ensemble="sentiment", students=str(students)).set(3000 / students)
    for _ in range(12):
        worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="sentiment").inc(1400)
        worker.metric(metrics.REQUEST_SECONDS).labels(ensemble="sentiment").observe(0.01)
        await scene.round(after_s=1.0)
        scene.cluster.serve()
    assert replicas(scene) == 3
    said = [(note.reason, note.action) for name, note in scene.cluster.notes if name == "gpus"]
    assert ("Overloaded", "AddWorkers") in said
    assert scene.cluster.status("ServingPool", "gpus")["decision"]["reason"] == "WithinObjective"


async def test_a_paused_pool_is_left_as_it_is(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    before = scene.cluster.plan
    scene.cluster.writes.clear()
    put(scene, pool(paused=True), ensemble(students={"max": 1}))
    await scene.round()
    assert not [write for write in scene.cluster.writes if write.startswith(("apply", "delete", "touch"))]
    assert scene.cluster.plan == before


async def test_children_that_somebody_changed_or_deleted_are_put_right(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    scene.cluster.live.remove(Ref("Service", POOL))
    scene.cluster.writes.clear()
    await scene.round()
    assert scene.cluster.writes == ["apply Service"]
    service = scene.cluster.live.get(Ref("Service", POOL))
    assert service is not None
    scene.cluster.live.put({**service, "spec": {**service["spec"], "selector": {"app": "other"}}})
    scene.cluster.writes.clear()
    await scene.round(after_s=61.0)
    assert "apply Service" in scene.cluster.writes


async def test_plan_parts_that_are_left_over_are_deleted(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    part = scene.cluster.live.all_of("ConfigMap")[0]
    scene.cluster.live.put({**part, "metadata": {**part["metadata"], "name": "gpus-plan-1"}})
    await scene.round()
    assert [ref_of(each).key.name for each in scene.cluster.live.all_of("ConfigMap")] == ["gpus-plan-0"]


async def test_one_refused_write_keeps_no_other_from_being_written(scene: Scene):
    put(scene, pool(), ensemble())
    scene.cluster.refuse = {"Service"}
    with pytest.raises(ClusterError, match="apply Service: refused"):
        await scene.round()
    assert "apply PodDisruptionBudget" in scene.cluster.writes
    scene.cluster.refuse = {"Event"}
    await scene.settle()
    assert scene.cluster.live.get(Ref("Service", POOL)) is not None, "and events are best effort"


async def test_what_the_cluster_will_not_have_is_a_condition_and_is_tried_again_ever_more_rarely(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.add_worker("w-0")
    scene.cluster.deny = {"Service"}
    await scene.round()
    assert scene.cluster.condition("ServingPool", "gpus", "Applied")[0] == "True", "once may pass"
    for _ in range(60):
        scene.cluster.serve()
        await scene.round(after_s=1.0)
    assert scene.cluster.writes.count("denied Service") == 6, "after 1, 2, 4, 8, 16 s"
    status, reason, message = scene.cluster.condition("ServingPool", "gpus", "Applied")
    assert (status, reason) == ("False", "ApplyRefused")
    assert message.startswith("Service: a policy forbids it. Change what this names")
    assert scene.cluster.condition("ServingPool", "gpus", "Ready")[:2] == ("False", "NotApplied")
    assert [note.reason for name, note in scene.cluster.notes if note.warning].count("ApplyRefused") == 1
    assert scene.cluster.condition("StudentEnsemble", "sentiment", "Ready")[0] == "True", "it is served all the same"


async def test_what_was_refused_is_tried_at_once_when_the_spec_or_the_live_object_changes(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    service = scene.cluster.live.get(Ref("Service", POOL))
    assert service is not None
    scene.cluster.live.put({**service, "spec": {}})
    scene.cluster.deny = {"Service"}
    for _ in range(4):
        await scene.round(after_s=61.0)
    refused = scene.cluster.writes.count("denied Service")
    await scene.round(after_s=1.0)
    assert scene.cluster.writes.count("denied Service") == refused
    scene.cluster.deny = set()
    scene.cluster.live.remove(Ref("Service", POOL))
    scene.cluster.live.put({**service, "metadata": {**service["metadata"], "resourceVersion": "2"}, "spec": {}})
    await scene.round(after_s=1.0)
    assert scene.cluster.live.get(Ref("Service", POOL)) == service
    assert scene.cluster.condition("ServingPool", "gpus", "Applied")[0] == "True"


async def test_a_pool_that_is_being_deleted_is_let_go(scene: Scene):
    put(scene, pool(), ensemble())
    await scene.settle()
    scene.cluster.writes.clear()
    gone = pool()
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    put(scene, gone)
    assert await scene.round() == GONE_S
    assert scene.cluster.writes == []


async def test_what_belongs_to_no_pool_is_told_which_field_to_change(scene: Scene):
    put(scene, ensemble(pool="none"), adapter("acme"), adapter("stray", ensemble="nobody"))
    await sweep(scene.cluster, lambda: scene.now)
    status, reason, message = scene.cluster.condition("StudentEnsemble", "sentiment", "Accepted")
    assert (status, reason) == ("False", "PoolNotFound")
    assert message.startswith("spec.pool: ")
    assert scene.cluster.condition("TenantAdapter", "acme", "Accepted")[1] == "EnsembleNotAccepted"
    assert scene.cluster.condition("TenantAdapter", "stray", "Accepted")[1] == "EnsembleNotFound"
    scene.cluster.writes.clear()
    scene.now += 60
    await sweep(scene.cluster, lambda: scene.now)
    assert scene.cluster.writes == []
