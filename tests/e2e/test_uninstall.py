"""Removing the release takes the operator away and leaves resources and workers alone. Last in the alphabet on purpose:
the other modules share one release."""

from __future__ import annotations

import pytest

from tests.e2e import resources
from tests.e2e.artifacts import make_ensemble
from tests.e2e.cluster import RELEASE, SYSTEM, Cluster
from tests.e2e.kube import path_of
from tests.e2e.scene import Scene
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"
_FORBIDDEN = 'is forbidden: User "system:serviceaccount:'
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def artifact(namespace):
    return make_ensemble(namespace[1] / MODEL)


def refusals(release: Cluster, pod: str = "") -> list[str]:
    """Lines of the operator's logs that tell of missing rights."""
    logs = [file.read_text(errors="replace") for file in release.pods.glob(f"{SYSTEM}-{pod or '*'}/output.log")]
    assert logs
    return [line for log in logs for line in log.splitlines() if _FORBIDDEN in line]


async def test_the_operator_was_never_refused_anything_under_the_rights_of_its_chart(scene: Scene, artifact):
    await scene.apply(resources.pool(POOL), resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest))
    await scene.ready("StudentEnsemble", MODEL, within_s=90)
    assert refusals(scene.cluster) == []


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
    operator = scene.cluster.kubectl("get", "pods", "-n", SYSTEM, "-o", "jsonpath={.items[0].metadata.name}")
    assert refusals(scene.cluster, operator) == []
    await scene.kube.delete(path_of("ServingPool", "ignored", namespace="default"))
