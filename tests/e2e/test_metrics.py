"""From load through Prometheus to a change of the number of students, told in the status."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e import resources
from tests.e2e.artifacts import STUDENTS, make_ensemble
from tests.e2e.client import Worker
from tests.e2e.kube import Object
from tests.e2e.prometheus import Prometheus, prometheus, promtool
from tests.e2e.scene import Scene
from tests.e2e.waiting import NotYet, eventually

POOL, MODEL = "gpus", "sentiment"


@pytest.fixture(scope="module")
def artifact(namespace):
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(folder) as running:
        done = promtool("check", "config", folder / "prometheus.yml")
        assert done.returncode == 0, done.stderr
        yield running


@pytest.fixture
async def worker(scene: Scene, artifact, server: Prometheus) -> Worker:
    metrics = {"interval": "1s", "staleAfter": "10s", "prometheus": {"url": server.url}}
    await scene.apply(
        resources.pool(POOL, metrics=metrics),
        resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest),
    )
    await scene.ready("StudentEnsemble", MODEL, within_s=90)
    pod = await eventually(lambda: scene.pod(POOL), within_s=30)
    server.scrape(scene.namespace, pod.name, pod.worker.url.removeprefix("http://"))
    return pod.worker


@contextlib.asynccontextmanager
async def load(worker: Worker) -> AsyncIterator[None]:
    """Keep a few requests under way."""

    async def client() -> None:
        while True:
            with contextlib.suppress(NotYet):
                await worker.infer(MODEL)
            await asyncio.sleep(0.05)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    try:
        yield
    finally:
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def ceiling(scene: Scene, wanted: int, *, within_s: float) -> Object:
    """The status of the ensemble, once so many students may answer."""

    async def probe() -> Object:
        status = await scene.status("StudentEnsemble", MODEL)
        if status["students"]["ceiling"] != wanted:
            raise NotYet(f"wanted {wanted} students: {status}")
        return status

    return await eventually(probe, within_s=within_s)


async def decisions(scene: Scene) -> dict[str, str]:
    """What events tell of the ensemble: notes by reason."""
    events = await scene.kube.items(f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events")
    return {event["reason"]: event["note"] for event in events if event["regarding"]["name"] == MODEL}


async def test_students_are_dropped_when_the_objective_is_missed_and_come_back(scene: Scene, worker: Worker):
    async def fresh() -> None:
        condition = await scene.condition("ServingPool", POOL, "MetricsAvailable")
        if condition["status"] != "True":
            raise NotYet(str(condition))

    async with load(worker):
        await eventually(fresh, within_s=45)
        # No machine answers a batch of eight texts in half a millisecond, with all the queueing on the way.
        await scene.patch("ServingPool", POOL, {"objective": {"p99": "0.5ms"}})
        await ceiling(scene, 1, within_s=75)
        assert "objective 0.5ms" in (await decisions(scene))["ObjectiveMissed"]

        await scene.patch("ServingPool", POOL, {"objective": {"p99": "30s"}})
        await ceiling(scene, STUDENTS, within_s=75)
        assert "of the capacity" in (await decisions(scene))["Headroom"]


async def test_without_prometheus_the_number_holds_and_a_condition_says_why(scene: Scene, worker: Worker):
    before = (await scene.status("StudentEnsemble", MODEL))["students"]
    nowhere = {"interval": "1s", "staleAfter": "10s", "prometheus": {"url": "http://127.0.0.1:9"}}
    await scene.patch("ServingPool", POOL, {"metrics": nowhere, "objective": {"p99": "0.5ms"}})

    async def said() -> Object:
        condition = await scene.condition("ServingPool", POOL, "MetricsAvailable")
        decision = (await scene.status("StudentEnsemble", MODEL))["decision"]
        if condition["status"] == "True" or decision["action"] != "Hold":
            raise NotYet(f"{condition} {decision}")
        return condition

    async with load(worker):
        condition = await eventually(said, within_s=45)
    assert condition["reason"] == "MetricsUnreachable"
    assert (await scene.status("StudentEnsemble", MODEL))["students"] == before
    await scene.ready("StudentEnsemble", MODEL)


async def test_promtool_finds_nothing_wrong_with_the_workers_metrics(worker: Worker):
    await worker.infer(MODEL)
    done = promtool("check", "metrics", stdin=await worker.text("/metrics"))
    assert done.returncode == 0, done.stdout + done.stderr
