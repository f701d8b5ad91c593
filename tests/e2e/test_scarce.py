"""Where nothing fits beside what runs, a further pod or a second artifact: requests are answered all along.

Each request goes to a worker that is ready by the API server's word, as through a Service.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from phalanx_load import Phase, poisson
from tests.e2e import resources
from tests.e2e.artifacts import TEXTS, Artifact, make_ensemble
from tests.e2e.client import Worker
from tests.e2e.gpus import rationed, taken
from tests.e2e.kube import Object
from tests.e2e.scene import Scene
from tests.e2e.service import Service
from tests.e2e.traffic import Outcome, Traffic, valid_answers
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"
RATE = 20.0
"""Requests a second: few enough for what is left of a pool, many enough to meet any gap."""
SURGE: Object = {"surge": "WhenItFits"}


@pytest.fixture(scope="module")
def artifacts(namespace) -> tuple[Artifact, Artifact]:
    """Two of one size that give the same answers."""
    return make_ensemble(namespace[1] / "old"), make_ensemble(namespace[1] / "new", made="once more")


@pytest.fixture
async def service(scene: Scene) -> AsyncIterator[Service]:
    async with Service(scene.kube, scene.namespace, POOL).followed() as found:
        yield found


async def serve(scene: Scene, artifact: Artifact, *, workers: int, rollout: Object, **env: str) -> None:
    """A pool of so many workers that all serve the artifact."""
    worker: Object = resources.pool(POOL)["spec"]["worker"]
    variables = [*worker["env"], *({"name": name, "value": value} for name, value in env.items())]
    replicas = {"min": workers, "max": workers}
    await scene.apply(
        resources.pool(POOL, replicas=replicas, rollout=rollout, worker=worker | {"env": variables}),
        model(artifact),
    )
    await complete(scene, workers)
    await serving(scene, artifact)


def model(artifact: Artifact) -> Object:
    return resources.ensemble(MODEL, pool=POOL, path=artifact.path.name, digest=artifact.digest)


async def complete(scene: Scene, workers: int, *, within_s: float = 120.0) -> None:
    """Wait until the pool has as many workers as it should have, all of its latest template."""

    async def probe() -> None:
        condition = await scene.condition("ServingPool", POOL, "Complete")
        deployment = await scene.kube.get(f"/apis/apps/v1/namespaces/{scene.namespace}/deployments/{POOL}")
        status = deployment["status"]
        counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
        seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
        if condition["status"] != "True" or counts != {workers} or not seen:
            raise NotYet(f"{condition}; {status}")

    await eventually(probe, within_s=within_s)


async def serving(scene: Scene, artifact: Artifact) -> None:
    """Wait until every worker serves the artifact, and nothing else."""

    async def probe() -> None:
        service = Service(scene.kube, scene.namespace, POOL)
        await service.look()
        reports = [await Worker(f"http://{address}").status() for address in service.known.values()]
        held = [[each.digest for each in report.ensembles] for report in reports]
        if not held or any(digests != [artifact.digest] for digests in held):
            raise NotYet(str(held))

    await eventually(probe, within_s=60)
    await scene.ready("StudentEnsemble", MODEL)


@contextlib.asynccontextmanager
async def answered(service: Service, artifact: Artifact) -> AsyncIterator[Traffic]:
    """Requests until the end of the block, each of them answered."""
    text = TEXTS[0]
    traffic = Traffic(service, model=MODEL, text=text, valid=valid_answers(artifact, text))
    load = asyncio.create_task(traffic.drive(poisson([Phase(name="steady", seconds=300, rate=RATE)], seed=1)))
    try:
        yield traffic
    finally:
        load.cancel()
        await traffic.settle()
        await traffic.close()
    others = {(each.outcome, each.why) for each in traffic.sent if each.outcome is not Outcome.ANSWERED}
    assert not others and len(traffic.sent) > RATE


async def asked(service: Service, traffic: Traffic) -> None:
    """Wait until every worker has had a request."""

    async def probe() -> None:
        if left := set(service.known) - {each.pod for each in traffic.sent}:
            raise NotYet(f"nobody asked {left}")

    await eventually(probe, within_s=10)


async def told(scene: Scene, name: str, reason: str) -> list[str]:
    """The notes of an object's events of a reason."""
    events = await scene.kube.items(f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events")
    return [each["note"] for each in events if (each["regarding"]["name"], each["reason"]) == (name, reason)]


async def test_workers_without_room_for_two_artifacts_go_over_one_by_one(
    scene: Scene, service: Service, artifacts: tuple[Artifact, Artifact]
):
    old, new = artifacts
    weights = (old.path / "grid.safetensors").stat().st_size
    await serve(scene, old, workers=2, rollout={}, PHALANX_WORKER_MODELS_BYTES=str(weights * 3 // 2))
    before = set(service.known)
    async with answered(service, old) as traffic:
        await scene.apply(model(new))
        await serving(scene, new)
    assert set(service.known) == before, "no pod was replaced"
    assert before <= {each.pod for each in traffic.sent}
    notes = await told(scene, MODEL, "OneByOne")
    assert {pod for pod in before if any(pod in note for note in notes)} == before, notes


async def test_a_worker_is_replaced_by_one_beside_it_while_there_is_a_gpu(
    scene: Scene, service: Service, artifacts: tuple[Artifact, Artifact]
):
    old, _ = artifacts
    await serve(scene, old, workers=1, rollout=SURGE)
    (before,) = service.known
    async with answered(service, old) as traffic:
        await change(scene)
        await complete(scene, 1)
        await asked(service, traffic)
    assert before not in service.known


async def test_without_a_gpu_for_one_more_the_update_goes_on_with_one_less(
    scene: Scene, service: Service, artifacts: tuple[Artifact, Artifact]
):
    old, _ = artifacts
    await serve(scene, old, workers=2, rollout=SURGE)
    before = set(service.known)
    async with taken(scene.kube, scene.namespace), answered(service, old) as traffic:
        await change(scene)
        await complete(scene, 2, within_s=180)
        await asked(service, traffic)
    assert not before & set(service.known)
    (note,) = await told(scene, POOL, "SurgeDoesNotFit")
    assert "Insufficient nvidia.com/gpu" in note


async def test_without_quota_for_one_more_the_update_goes_on_without(
    scene: Scene, service: Service, artifacts: tuple[Artifact, Artifact]
):
    await serve(scene, artifacts[0], workers=1, rollout=SURGE)
    (before,) = service.known
    async with rationed(scene.kube, scene.namespace, gpus=1):
        await change(scene)
        await fallen_back(scene, "exceeded quota: gpus")
        async with nudged(scene):
            await complete(scene, 1)
    assert before not in service.known


async def fallen_back(scene: Scene, words: str) -> None:
    """Wait until the update goes on without a further pod, and these words are told of it."""

    async def probe() -> None:
        notes = await told(scene, POOL, "SurgeDoesNotFit")
        if not any(words in note for note in notes):
            raise NotYet(str(notes))

    await eventually(probe, within_s=120)


@contextlib.asynccontextmanager
async def nudged(scene: Scene) -> AsyncIterator[None]:
    """Until the end of the block refused pods are tried again every second.

    By itself the controller of ReplicaSets waits for up to 80 s by then: it doubles its wait with every refusal.
    """
    sets = f"/apis/apps/v1/namespaces/{scene.namespace}/replicasets"

    async def nudge() -> None:
        for number in itertools.count():
            for each in await scene.kube.items(sets):
                mark = {"metadata": {"annotations": {"nudge": str(number)}}}
                await scene.kube.merge(f"{sets}/{each['metadata']['name']}", mark)
            await asyncio.sleep(1.0)

    nudging = asyncio.create_task(nudge())
    try:
        yield
    finally:
        nudging.cancel()
        await asyncio.gather(nudging, return_exceptions=True)


async def change(scene: Scene) -> None:
    """Another template of pods, which changes nothing about them."""
    worker: Object = (await scene.find("ServingPool", POOL) or {})["spec"]["worker"]
    marked = [*worker["env"], {"name": "MARK", "value": "1"}]
    await scene.patch("ServingPool", POOL, {"worker": worker | {"env": marked}})
