"""From `kubectl apply` to answers, and every change of a plan without a restart."""

from __future__ import annotations

import psutil
import pytest

from tests.e2e import resources
from tests.e2e.artifacts import STUDENTS, TEXTS, Answers, Artifact, make_ensemble, make_tenant
from tests.e2e.client import Response, Worker
from tests.e2e.cluster import OPERATOR, SYSTEM
from tests.e2e.kube import path_of
from tests.e2e.scene import Scene, process_of
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"
CHANGE_S = 15.0
"""A change has to be served by then: well before the node would sync its volumes unasked (30 s)."""


@pytest.fixture(scope="module")
def artifact(namespace) -> Artifact:
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture
async def worker(scene: Scene, artifact: Artifact) -> Worker:
    """The worker of a pool that serves the model with all of its students."""
    await scene.apply(resources.pool(POOL), resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest))
    await scene.ready("StudentEnsemble", MODEL, within_s=90)
    await scene.ready("ServingPool", POOL)
    return await scene.worker(POOL)


def assert_same(served: Answers, expected: Answers) -> None:
    """The same labels, and probabilities equal to what float32 promises."""
    assert served.labels == expected.labels
    for got, wanted in zip(served.probabilities, expected.probabilities, strict=True):
        assert got == pytest.approx(wanted, abs=1e-4)


async def served_with(worker: Worker, students: int, *, within_s: float = CHANGE_S) -> Response:
    """An answer once so many students give it."""

    async def probe() -> Response:
        response = await worker.infer(MODEL)
        if response.status != 200 or set(response.students.split(",")) != {str(students)}:
            raise NotYet(f"wanted {students} students: {response}")
        return response

    return await eventually(probe, within_s=within_s)


async def test_a_worker_answers_like_the_artifact_run_in_python(worker: Worker, artifact: Artifact):
    response = await served_with(worker, STUDENTS)
    assert_same(response.answers, artifact.answers(TEXTS))
    assert len(set(response.answers.labels)) > 1, "texts that all get one label would prove little"


async def test_readiness_and_report_name_the_plan_of_the_pools_status(scene: Scene, worker: Worker):
    status = await scene.status("ServingPool", POOL)
    report = await worker.status()
    assert report.ready
    assert report.plan == status["plan"]["hash"]
    assert status["plan"]["ensembles"] == 1


async def test_a_new_maximum_of_students_is_served_without_a_restart(scene: Scene, worker: Worker, artifact: Artifact):
    before = await scene.pod(POOL)
    first = await served_with(worker, STUDENTS)
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 1}})
    alone = await served_with(worker, 1)
    assert alone.plan != first.plan
    assert_same(alone.answers, artifact.answers(students=1))
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": None}})
    assert_same((await served_with(worker, STUDENTS)).answers, artifact.answers())
    assert await scene.pod(POOL) == before


async def test_tenants_get_their_own_answers_until_their_adapter_is_deleted(
    scene: Scene, worker: Worker, artifact: Artifact
):
    tenants = {
        "acme": make_tenant(scene.folder / "acme", artifact, labels=("spam", "ham", "other"), seed=1),
        "globex": make_tenant(scene.folder / "globex", artifact, labels=("urgent", "later"), seed=2),
    }
    for name, tenant in tenants.items():
        await scene.apply(resources.adapter(name, ensemble=MODEL, path=name, digest=tenant.digest))
    for name, tenant in tenants.items():
        await scene.ready("TenantAdapter", name)
        assert_same((await worker.infer(f"{MODEL}:{name}")).answers, tenant.answers())
    assert_same((await worker.infer(MODEL)).answers, artifact.answers())

    await scene.delete("TenantAdapter", "acme")

    async def refused() -> Response:
        response = await worker.infer(f"{MODEL}:acme")
        if response.status == 200:
            raise NotYet("the tenant is still served")
        return response

    response = await eventually(refused, within_s=CHANGE_S)
    assert response.status == 404
    assert "acme" in response.error
    assert_same((await worker.infer(f"{MODEL}:globex")).answers, tenants["globex"].answers())
    assert_same((await worker.infer(MODEL)).answers, artifact.answers())
    await scene.delete("TenantAdapter", "globex")


async def test_a_killed_worker_comes_back_with_the_current_plan(scene: Scene, worker: Worker, artifact: Artifact):
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 2}})
    last = await served_with(worker, 2)
    before = await scene.pod(POOL)
    psutil.Process(before.pid).kill()

    async def back() -> Response:
        if process_of(before.name).pid == before.pid:
            raise NotYet("the old process is still there")
        answer = await worker.infer(MODEL)
        if answer.status != 200:
            raise NotYet(f"it listens, and still loads: {answer}")
        return answer

    response = await eventually(back, within_s=60)
    assert response.students == ",".join(["2"] * len(TEXTS)) or response.students == "2"
    assert response.plan == last.plan
    assert_same(response.answers, artifact.answers(students=2))
    after = await eventually(lambda: scene.pod(POOL), within_s=30)
    assert (after.uid, after.restarts) == (before.uid, before.restarts + 1)
    await scene.ready("StudentEnsemble", MODEL)
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": None}})


async def test_what_changes_while_the_operator_is_down_is_served_when_it_is_back(
    scene: Scene, worker: Worker, artifact: Artifact
):
    await served_with(worker, STUDENTS)
    before = await scene.pod(POOL)
    await scene.apply(resources.ensemble("short-lived", pool=POOL, path=MODEL, digest=artifact.digest))
    await scene.ready("StudentEnsemble", "short-lived")

    await scale_operator(scene, 0)
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 2}})
    await scene.delete("StudentEnsemble", "short-lived")
    assert await scene.find("StudentEnsemble", "short-lived") is None, "deletion waits for nobody"
    assert (await worker.infer(MODEL)).students.startswith(str(STUDENTS)), "workers go on with the plan that they have"
    assert (await worker.infer("short-lived")).status == 200

    await scale_operator(scene, 1)
    await served_with(worker, 2, within_s=60)
    await scene.ready("StudentEnsemble", MODEL)
    assert (await worker.infer("short-lived")).status == 404
    assert await scene.pod(POOL) == before
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": None}})


async def scale_operator(scene: Scene, replicas: int) -> None:
    """Stop or start the operator, and wait until it is so."""
    scene.cluster.kubectl("scale", OPERATOR, f"--replicas={replicas}", "--namespace", SYSTEM)
    scene.cluster.kubectl("rollout", "status", OPERATOR, "--namespace", SYSTEM, "--timeout=60s")
    path = f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app.kubernetes.io/component%3Doperator"

    async def settled() -> None:
        pods = await scene.kube.items(path)
        if len(pods) != replicas:
            raise NotYet(f"{len(pods)} pods of the operator, wanted {replicas}")

    await eventually(settled, within_s=60)


async def test_deleting_everything_leaves_no_child_and_no_finalizer(scene: Scene, worker: Worker, artifact: Artifact):
    tenant = make_tenant(scene.folder / "last", artifact, labels=("a", "b"), seed=3)
    await scene.apply(resources.adapter("last", ensemble=MODEL, path="last", digest=tenant.digest))
    await scene.ready("TenantAdapter", "last")
    pod = await scene.pod(POOL)
    assert {child.partition("/")[0] for child in await scene.children(POOL)} == {
        "configmaps", "deployments", "poddisruptionbudgets", "pods", "replicasets", "serviceaccounts", "services",
    }  # fmt: skip
    kinds = {"ServingPool": POOL, "StudentEnsemble": MODEL, "TenantAdapter": "last"}
    for kind, name in kinds.items():
        found = await scene.kube.get(path_of(kind, name, namespace=scene.namespace))
        assert "finalizers" not in found["metadata"]
        await scene.delete(kind, name)

    async def gone() -> None:
        left = [f"{kind}/{name}" for kind, name in kinds.items() if await scene.find(kind, name) is not None]
        left += await scene.children(POOL)
        assert left == []
        assert not psutil.pid_exists(pod.pid)

    await eventually(gone, within_s=90)
