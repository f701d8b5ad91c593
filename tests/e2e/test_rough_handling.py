"""Changes that users make in a hurry: moves, hand deletions, recreations, a killed operator. All of them converge."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from tests.e2e import resources
from tests.e2e.artifacts import STUDENTS, Artifact, Tenant, make_ensemble, make_tenant
from tests.e2e.kube import Object
from tests.e2e.scene import Scene
from tests.e2e.waiting import NotYet, eventually

LEFT, RIGHT, MODEL, OTHER, TENANT = "left", "right", "model", "other", "acme"
CONVERGE_S = 60.0


@pytest.fixture(scope="module")
def artifact(namespace) -> Artifact:
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture(scope="module")
def tenant(namespace, artifact: Artifact) -> Tenant:
    return make_tenant(namespace[1] / TENANT, artifact, labels=("calm", "cross", "neither"), seed=1)


@pytest.fixture
async def pools(scene: Scene, artifact: Artifact) -> None:
    """Two pools; the left one serves two models of the same artifact."""
    await scene.apply(
        resources.pool(LEFT),
        resources.pool(RIGHT),
        *(resources.ensemble(name, pool=LEFT, path=MODEL, digest=artifact.digest) for name in (MODEL, OTHER)),
    )
    for name in (MODEL, OTHER):
        await scene.ready("StudentEnsemble", name, within_s=90)


async def answered(scene: Scene, pool: str, model: str, status: int) -> None:
    """Wait until the pool's worker answers for a model with this HTTP status."""

    async def probe() -> None:
        response = await (await scene.pod(pool)).worker.infer(model)
        if response.status != status:
            raise NotYet(f"wanted {status} for {model} from {pool}: {response}")

    await eventually(probe, within_s=CONVERGE_S)


async def deployment(scene: Scene, pool: str) -> Object:
    """A pool's Deployment, found by its label."""
    path = f"/apis/apps/v1/namespaces/{scene.namespace}/deployments?labelSelector=phalanx.dev%2Fpool%3D{pool}"
    found = await scene.kube.items(path)
    if len(found) != 1:
        raise NotYet(f"pool {pool} has {len(found)} Deployments")
    return found[0]


def uids(scene: Scene, kind: str, pool: str) -> dict[str, str]:
    """What a pool has of one kind of children: uids by name."""
    listed = scene.cluster.kubectl("get", kind, "-n", scene.namespace, "-l", f"phalanx.dev/pool={pool}", "-o", "json")
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in json.loads(listed)["items"]}


async def test_a_model_moves_to_another_pool_and_back(scene: Scene, pools: None):
    await scene.patch("StudentEnsemble", MODEL, {"pool": RIGHT})
    await answered(scene, RIGHT, MODEL, 200)
    await answered(scene, LEFT, MODEL, 404)
    await scene.ready("StudentEnsemble", MODEL)
    await answered(scene, LEFT, OTHER, 200)
    await scene.patch("StudentEnsemble", MODEL, {"pool": LEFT})
    await answered(scene, LEFT, MODEL, 200)
    await answered(scene, RIGHT, MODEL, 404)
    await scene.ready("StudentEnsemble", MODEL)


async def test_a_tenant_moves_between_models(scene: Scene, pools: None, tenant: Tenant):
    await scene.apply(resources.adapter(TENANT, ensemble=MODEL, path=TENANT, digest=tenant.digest))
    await answered(scene, LEFT, f"{MODEL}:{TENANT}", 200)
    await scene.patch("TenantAdapter", TENANT, {"ensemble": OTHER})
    await answered(scene, LEFT, f"{OTHER}:{TENANT}", 200)
    await answered(scene, LEFT, f"{MODEL}:{TENANT}", 404)
    await scene.ready("TenantAdapter", TENANT)
    await scene.delete("TenantAdapter", TENANT)
    await answered(scene, LEFT, f"{OTHER}:{TENANT}", 404)


async def test_what_is_deleted_by_hand_comes_back(scene: Scene, pools: None):
    for kind in ("configmap", "service", "poddisruptionbudget", "serviceaccount", "deployment"):
        before = uids(scene, kind, LEFT)
        assert before, f"the pool has no {kind} to delete"
        scene.cluster.kubectl("delete", "-n", scene.namespace, *(f"{kind}/{name}" for name in before))

        async def back(kind: str = kind, before: dict[str, str] = before) -> None:
            after = uids(scene, kind, LEFT)
            if any(after.get(name) in (None, uid) for name, uid in before.items()):
                raise NotYet(f"deleted {before}, there are {after}")

        await eventually(back, within_s=CONVERGE_S)
    await answered(scene, LEFT, MODEL, 200)
    await scene.ready("ServingPool", LEFT)


async def test_a_pool_recreated_at_once_serves_again(scene: Scene, pools: None):
    await scene.delete("ServingPool", LEFT)
    await scene.apply(resources.pool(LEFT))
    pool = await scene.find("ServingPool", LEFT)
    assert pool is not None

    async def owned() -> None:
        """Collected and made anew, or taken over before the collector came: the new pool alone owns it."""
        owners = [owner["uid"] for owner in (await deployment(scene, LEFT))["metadata"]["ownerReferences"]]
        if owners != [pool["metadata"]["uid"]]:
            raise NotYet(f"the Deployment belongs to {owners}")

    await eventually(owned, within_s=CONVERGE_S)
    await answered(scene, LEFT, MODEL, 200)
    for name in (MODEL, OTHER):
        await scene.ready("StudentEnsemble", name)


async def test_a_count_set_with_kubectl_scale_is_kept_when_the_template_changes(scene: Scene, pools: None):
    await scene.patch("ServingPool", RIGHT, {"autoscaling": "External", "replicas": {"max": 3}})
    scene.cluster.kubectl("scale", f"servingpools/{RIGHT}", "--replicas=2", "-n", scene.namespace)

    async def scaled(grace_s: int | None = None) -> None:
        spec = (await deployment(scene, RIGHT))["spec"]
        seen = (spec["replicas"], spec["template"]["spec"]["terminationGracePeriodSeconds"])
        if seen[0] != 2 or grace_s not in (None, seen[1]):
            raise NotYet(f"replicas and grace period are {seen}")

    await eventually(scaled, within_s=CONVERGE_S)
    await scene.patch("ServingPool", RIGHT, {"worker": {"terminationGracePeriodSeconds": 11}})
    await eventually(lambda: scaled(grace_s=11), within_s=CONVERGE_S)

    async def both_ready() -> None:
        ready = (await scene.status("ServingPool", RIGHT)).get("readyReplicas")
        if ready != 2:
            raise NotYet(f"{ready} workers are ready")

    await eventually(both_ready, within_s=90)
    scene.cluster.kubectl("scale", f"servingpools/{RIGHT}", "--replicas=1", "-n", scene.namespace)
    await eventually(lambda: replicas_are(scene, RIGHT, 1), within_s=CONVERGE_S)


async def replicas_are(scene: Scene, pool: str, count: int) -> None:
    seen = (await deployment(scene, pool))["spec"]["replicas"]
    if seen != count:
        raise NotYet(f"replicas are {seen}, not {count}")


async def test_with_autoscaling_off_the_deployment_belongs_to_whoever_scales_it(scene: Scene, pools: None):
    """Also to one who scaled it before the operator wrote its next change of the template."""
    await scene.patch("ServingPool", RIGHT, {"autoscaling": "Off", "replicas": {"max": 3}})
    name = (await deployment(scene, RIGHT))["metadata"]["name"]
    scene.cluster.kubectl("scale", f"deployment/{name}", "--replicas=2", "-n", scene.namespace)
    await scene.patch("ServingPool", RIGHT, {"worker": {"terminationGracePeriodSeconds": 12}})

    async def changed() -> None:
        found = await deployment(scene, RIGHT)
        if found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] != 12:
            raise NotYet("the template has not changed")
        owners = [
            entry["manager"]
            for entry in found["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        ]
        assert (found["spec"]["replicas"], len(owners)) == (2, 1), owners

    await eventually(changed, within_s=CONVERGE_S)
    scene.cluster.kubectl("scale", f"deployment/{name}", "--replicas=1", "-n", scene.namespace)


async def test_a_paused_pool_keeps_its_plan_until_it_goes_on(scene: Scene, pools: None):
    await scene.patch("ServingPool", LEFT, {"paused": True})
    await scene.patch("StudentEnsemble", MODEL, {"students": {"min": 1, "max": 1}})

    async def said() -> None:
        conditions = (await scene.status("ServingPool", LEFT))["conditions"]
        if not any("Paused" in condition["reason"] for condition in conditions):
            raise NotYet(f"no condition says that it is paused: {conditions}")

    await eventually(said, within_s=CONVERGE_S)
    worker = (await scene.pod(LEFT)).worker
    assert set((await worker.infer(MODEL)).students.split(",")) == {str(STUDENTS)}
    await scene.patch("ServingPool", LEFT, {"paused": False})

    async def fewer() -> None:
        response = await worker.infer(MODEL)
        if set(response.students.split(",")) != {"1"}:
            raise NotYet(str(response))

    await eventually(fewer, within_s=CONVERGE_S)
    await scene.patch("StudentEnsemble", MODEL, {"students": {"min": 1, "max": None}})


async def test_an_operator_killed_in_the_middle_of_changes_finishes_them(scene: Scene, pools: None):
    before = await scene.pod(LEFT)
    for number in range(6):
        await scene.patch("StudentEnsemble", MODEL, {"students": {"min": 1, "max": 1 + number % 2}})
        if number == 3:
            os.kill(operator().pid, signal.SIGKILL)
    await scene.patch("StudentEnsemble", MODEL, {"students": {"min": 1, "max": 1}})

    async def one() -> None:
        response = await before.worker.infer(MODEL)
        if set(response.students.split(",")) != {"1"}:
            raise NotYet(str(response))

    await eventually(one, within_s=CONVERGE_S)
    await scene.ready("StudentEnsemble", MODEL)
    assert await scene.pod(LEFT) == before, "a worker restarted because the operator did"


def operator() -> psutil.Process:
    """The operator's process on the process node."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "phalanx_cli" in words and "operator" in words and not any("tether" in str(word) for word in words):
            return process
    raise AssertionError("no operator runs")


async def test_a_pool_may_have_the_longest_name_that_there_is(scene: Scene, artifact: Artifact):
    name = "p" * 63
    await scene.apply(resources.pool(name))

    async def told() -> str:
        condition = await scene.condition("ServingPool", name, "Accepted")
        if condition["status"] == "Unknown":
            raise NotYet(str(condition))
        return f"{condition['status']}: {condition['message']}"

    verdict = await eventually(told, within_s=CONVERGE_S)
    assert verdict.startswith("False: metadata.name"), verdict
    await scene.delete("ServingPool", name)
