"""Removing the release takes the operator away and leaves resources and workers alone. Last in the alphabet on purpose:
the other modules share one release."""

from __future__ import annotations

import pytest

from tests.e2e import resources
from tests.e2e.artifacts import make_ensemble
from tests.e2e.cluster import RELEASE, SYSTEM
from tests.e2e.kube import path_of
from tests.e2e.life import live
from tests.e2e.scene import Scene
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def artifact(namespace):
    return make_ensemble(namespace[1] / MODEL)


async def test_in_all_tests_before_the_operator_was_refused_nothing(scene: Scene):
    assert scene.cluster.audit is not None
    assert scene.cluster.audit.refused() == []


async def test_uninstalled_and_installed_again_for_one_namespace_only(scene: Scene, artifact):
    await scene.apply(resources.pool(POOL), resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest))
    await scene.ready("StudentEnsemble", MODEL, within_s=90)
    worker = await scene.worker(POOL)
    before = await scene.pod(POOL)

    scene.cluster.helm("uninstall", RELEASE, "--wait")

    async def gone() -> None:
        left = scene.cluster.kubectl("get", "deployments,pods,serviceaccounts,services", "-n", SYSTEM, "-o", "name")
        assert [name for name in left.split() if name != "serviceaccount/default"] == []

    await eventually(gone, within_s=30)
    assert await scene.kube.find(f"{_RBAC}/clusterroles/phalanx-operator") is None
    assert await scene.kube.find(f"{_RBAC}/clusterrolebindings/phalanx-operator") is None
    assert await scene.find("StudentEnsemble", MODEL) is not None, "the definitions are kept, and with them this"
    assert (await worker.infer(MODEL)).answers.labels == artifact.answers().labels
    assert await scene.pod(POOL) == before

    # Under Roles alone, without any right in the cluster as a whole.
    since = scene.cluster.audit.end()
    scene.cluster.install(f"watchNamespaces[0]={scene.namespace}")
    assert await scene.kube.find(f"{_RBAC}/clusterroles/phalanx-operator") is None
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 1}})

    async def served() -> None:
        response = await worker.infer(MODEL)
        if set(response.students.split(",")) != {"1"}:
            raise NotYet(str(response))

    await eventually(served, within_s=45)
    await scene.ready("StudentEnsemble", MODEL)
    elsewhere = await scene.kube.apply(
        path_of("ServingPool", "ignored", namespace="default"), resources.pool("ignored")
    )
    assert "status" not in elsewhere
    assert await scene.pod(POOL) == before
    await live(scene)
    # The operator of the whole cluster is gone; other modules' namespaces may be ending.
    assert scene.cluster.audit.refused(since=since) == []
    asked = scene.cluster.audit.requests(since=since)
    about = {(request.namespace, request.right.resource) for request in asked if request.right is not None}
    assert {namespace for namespace, resource in about if resource != "leases"} == {scene.namespace}
    assert {namespace for namespace, resource in about if resource == "leases"} == {SYSTEM}
    await scene.kube.delete(path_of("ServingPool", "ignored", namespace="default"))
