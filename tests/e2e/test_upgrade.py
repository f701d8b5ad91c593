"""From the previous release to this one and back, with that release's own operator and workers.

Begins with a cluster without Phalanx, so it is the last of all in the alphabet: the other modules share one release.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Iterator
from typing import Final

import pytest

from tests.binaries import REPOSITORY
from tests.e2e import resources
from tests.e2e.artifacts import Artifact, make_ensemble
from tests.e2e.cluster import OPERATOR, RELEASE, SYSTEM, Cluster
from tests.e2e.scene import Pod, Scene
from tests.e2e.waiting import NotYet, eventually
from tests.releases import previous

PINNED, FOLLOWING, MODEL, OTHER = "pinned", "following", "sentiment", "other"
DEFINITIONS = ("servingpools", "studentensembles", "tenantadapters")
CONVERGE_S = 60.0
RELEASED: Final[str] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def upgraded_from(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the previous release, its definitions included, and nothing of this one."""
    if cluster.pods is None:
        pytest.skip("needs the process node: images of the previous release are published nowhere")
    cluster.helm("uninstall", RELEASE, "--ignore-not-found", "--wait")
    names = [f"crd/{plural}.phalanx.dev" for plural in DEFINITIONS]
    cluster.kubectl("delete", *names, "--ignore-not-found", "--timeout=60s")
    cluster.helm("install", RELEASE, previous().chart, "--create-namespace")
    cluster.kubectl("rollout", "status", OPERATOR, "--namespace", SYSTEM, "--timeout=90s")
    yield cluster
    cluster.install()


@pytest.fixture
async def scene(upgraded_from: Cluster, kube, namespace) -> Scene:
    return Scene(cluster=upgraded_from, kube=kube, namespace=namespace[0], folder=namespace[1])


@pytest.fixture(scope="module")
def artifact(namespace) -> Artifact:
    return make_ensemble(namespace[1] / MODEL)


class Traffic:
    """Requests to one worker, one after the other, from `async with` to its end."""

    def __init__(self, pod: Pod, model: str) -> None:
        self._pod, self._model = pod, model
        self.answered = 0
        self.refused: list[str] = []

    async def __aenter__(self) -> Traffic:
        self._task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ask(self) -> None:
        while True:
            try:
                response = await self._pod.worker.infer(self._model)
            except NotYet as problem:
                self.refused.append(str(problem))
            else:
                self.answered += response.status == 200
                self.refused += [] if response.status == 200 else [response.error]
            await asyncio.sleep(0.05)


def shown(scene: Scene, what: str, path: str, namespace: str = "") -> str:
    """One field of an object."""
    return scene.cluster.kubectl("get", what, "-n", namespace or scene.namespace, "-o", f"jsonpath={path}")


def fields(scene: Scene, plural: str) -> set[str]:
    """The names in a kind's spec that the API server knows."""
    path = "{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties}"
    return set(json.loads(shown(scene, f"crd/{plural}.phalanx.dev", path)))


async def students(pod: Pod, model: str, wanted: int) -> None:
    """Wait until the worker answers with so many students."""

    async def probe() -> None:
        response = await pod.worker.infer(model)
        if set(response.students.split(",")) != {str(wanted)}:
            raise NotYet(str(response))

    await eventually(probe, within_s=CONVERGE_S)


async def runs(scene: Scene, pool: str, version: str) -> None:
    """Wait until the pool's only worker is of this release, and ready."""

    async def probe() -> None:
        pod = await scene.pod(pool)
        found = shown(scene, f"pod/{pod.name}", "{.spec.containers[0].image}")
        if found != f"phalanx-worker:{version}":
            raise NotYet(f"the worker's image is {found}")

    await eventually(probe, within_s=90)


@pytest.fixture
async def before(scene: Scene, artifact: Artifact) -> Pod:
    """Two pools under the previous release, one of them with its workers' image named; the worker of that."""
    env = resources.pool(PINNED)["spec"]["worker"]
    await scene.apply(
        resources.pool(PINNED, worker=env | {"image": f"phalanx-worker:{previous().version}"}),
        resources.pool(FOLLOWING),
        resources.ensemble(MODEL, pool=PINNED, path=MODEL, digest=artifact.digest),
        resources.ensemble(OTHER, pool=FOLLOWING, path=MODEL, digest=artifact.digest),
    )
    for model in (MODEL, OTHER):
        await scene.ready("StudentEnsemble", model, within_s=90)
    await runs(scene, FOLLOWING, previous().version)
    assert not {"autoscaling", "networkPolicy"} & fields(scene, "servingpools")
    pinned = await scene.pod(PINNED)
    assert (await pinned.worker.status()).version == previous().version
    return pinned


async def test_upgraded_used_and_rolled_back_while_a_pinned_worker_answers_all_the_time(
    scene: Scene, before: Pod, artifact: Artifact
):
    async with Traffic(before, MODEL) as traffic:
        scene.cluster.install()
        await _is_upgraded(scene, before)
        await _new_fields_do_what_they_say(scene)
        await _what_the_old_worker_does_not_know_waits(scene, artifact)
        # Two that do not know of each other's lease never run at the same time, the first time; later they do.
        assert shown(scene, OPERATOR, "{.spec.strategy.type}", SYSTEM) == "Recreate"
        scene.cluster.install("replicas=2")
        assert shown(scene, OPERATOR, "{.spec.strategy.type}", SYSTEM) == "RollingUpdate"
        assert shown(scene, OPERATOR, "{.status.readyReplicas}", SYSTEM) == "2"
        assert shown(scene, "poddisruptionbudget/phalanx-operator", "{.spec.maxUnavailable}", SYSTEM) == "1"
        scene.cluster.helm("rollback", RELEASE, "1", "--wait", "--timeout=90s")
        await _is_rolled_back(scene, before)
    assert traffic.refused == []
    assert traffic.answered > 10
    assert (await before.worker.infer(MODEL)).answers.labels == artifact.answers(students=2).labels
    assert await scene.pod(PINNED) == before


async def _is_upgraded(scene: Scene, before: Pod) -> None:
    assert {"autoscaling", "networkPolicy"} <= fields(scene, "servingpools")
    await runs(scene, FOLLOWING, RELEASED)
    for model in (MODEL, OTHER):
        await scene.ready("StudentEnsemble", model)
    # The new operator's plan is read by the old worker, and its report by the new operator.
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 1}})
    await students(before, MODEL, 1)
    await scene.ready("StudentEnsemble", MODEL)


async def _new_fields_do_what_they_say(scene: Scene) -> None:
    await scene.patch("ServingPool", PINNED, {"networkPolicy": {"mode": "Restricted"}, "autoscaling": "Off"})

    async def made() -> None:
        if f"networkpolicies/{PINNED}" not in await scene.children(PINNED):
            raise NotYet("there is no network policy")

    await eventually(made, within_s=CONVERGE_S)
    await scene.ready("ServingPool", PINNED)


async def _what_the_old_worker_does_not_know_waits(scene: Scene, artifact: Artifact) -> None:
    """Its plan stays one that it could also begin with: it has not refused any."""
    new = make_ensemble(scene.folder / "new", seed=1)

    async def name(path: str, digest: str) -> None:
        uri = f"pvc://{resources.CLAIM}/{path}"
        await scene.patch("StudentEnsemble", MODEL, {"artifact": {"uri": uri, "digest": digest}})

    async def told() -> None:
        condition = await scene.condition("StudentEnsemble", MODEL, "PlanServed")
        if condition["reason"] != "WorkersOutdated":
            raise NotYet(str(condition))

    await name("new", new.digest)
    await eventually(told, within_s=CONVERGE_S)
    status = await (await scene.pod(PINNED)).worker.status()
    assert status.plan_error == ""
    assert [(each.name, each.digest) for each in status.ensembles] == [(MODEL, artifact.digest)]
    await name(MODEL, artifact.digest)
    await scene.ready("StudentEnsemble", MODEL)


async def _is_rolled_back(scene: Scene, before: Pod) -> None:
    assert not {"autoscaling", "networkPolicy"} & fields(scene, "servingpools")
    await runs(scene, FOLLOWING, previous().version)
    await scene.patch("StudentEnsemble", MODEL, {"students": {"max": 2}})
    await students(before, MODEL, 2)
    for model in (MODEL, OTHER):
        await scene.ready("StudentEnsemble", model)
