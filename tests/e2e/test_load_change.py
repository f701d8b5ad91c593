"""A rise of the load, as a user sees it: students go within seconds, workers come, and bring the students back.

Real workers on devices of constant speed (`tests.e2e.paced`), scraped by a real Prometheus. The policy's times are
windows of the metrics, six intervals long: with an interval of a second its minutes are seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from phalanx_load import Phase, poisson
from tests.e2e import resources
from tests.e2e.artifacts import STUDENTS, WORDS, make_ensemble
from tests.e2e.prometheus import Prometheus, prometheus
from tests.e2e.scene import Scene
from tests.e2e.service import Service
from tests.e2e.traffic import Outcome, Traffic, valid_answers
from tests.e2e.waiting import NotYet, eventually
from tests.e2e.watching import watching

POOL, MODEL = "gpus", "sentiment"
TEXT = " ".join((WORDS * 2)[:28])
"""30 tokens: a worker answers 55 of them a second with all three students, 80 with two, 160 with one."""
CALM, BUSY = 15.0, 64.0
"""Requests a second. The busy rate is 1.2 workers' work: too much for one, and 0.6 of the time of two."""


@pytest.fixture(scope="module")
def artifact(namespace):
    return make_ensemble(namespace[1] / MODEL)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture
async def service(scene: Scene, artifact, server: Prometheus) -> AsyncIterator[Service]:
    """A pool of one worker, and of two at the most, that serves the model."""
    metrics = {"interval": "1s", "staleAfter": "10s", "prometheus": {"url": server.url}}
    await scene.apply(
        resources.paced_pool(POOL, replicas={"min": 1, "max": 2}, objective={"p99": "400ms"}, metrics=metrics),
        resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest),
    )
    found = Service(scene.kube, scene.namespace, POOL, changed=lambda known: server.scrape_all(scene.namespace, known))
    async with found.followed():
        await scene.ready("StudentEnsemble", MODEL, within_s=90)
        yield found


async def fresh(scene: Scene) -> None:
    """Raises NotYet before decisions have something to go by."""
    condition = await scene.condition("ServingPool", POOL, "MetricsAvailable")
    if condition["status"] != "True":
        raise NotYet(str(condition))


async def told(scene: Scene, name: str) -> dict[str, str]:
    """The notes of an object's events, by reason."""
    events = await scene.kube.items(f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events")
    return {event["reason"]: event["note"] for event in events if event["regarding"]["name"] == name}


async def test_students_answer_a_rise_of_the_load_until_workers_do(scene: Scene, service: Service, artifact):
    traffic = Traffic(service, model=MODEL, text=TEXT, valid=valid_answers(artifact, TEXT))
    phases = [Phase(name="calm", seconds=4, rate=CALM), Phase(name="busy", seconds=150, rate=BUSY)]
    async with (
        watching(scene.cluster, "ens", MODEL, namespace=scene.namespace) as ens,
        watching(scene.cluster, "pool", POOL, namespace=scene.namespace) as pool,
    ):
        await eventually(lambda: fresh(scene), within_s=30)
        load = asyncio.create_task(traffic.drive(poisson(phases, seed=1)))

        async def come_and_gone() -> tuple[float, ...]:
            fewer = ens.when("CEILING", *map(str, range(1, STUDENTS)))
            wanted = pool.when("WANTED", "2")
            arrived = pool.when("WORKERS", "2")
            return fewer, wanted, arrived, ens.when("CEILING", str(STUDENTS), after=fewer)

        fewer, wanted, arrived, whole = await eventually(come_and_gone, within_s=120)
        load.cancel()
    assert fewer < wanted < arrived < whole, "students go first, then workers come, then the students come back"
    assert pool.values("WANTED") == ["1", "2"]
    await traffic.settle()
    await traffic.close()
    assert {each.outcome for each in traffic.sent} <= {Outcome.ANSWERED, Outcome.REFUSED}

    notes = await told(scene, MODEL)
    assert f"from {STUDENTS} down to" in notes.get("Overloaded", notes.get("ObjectiveMissed", "")), notes
    assert f"up to {STUDENTS} students" in notes["Headroom"], notes
    # The load, or what it did to the answers: whichever a window of the metrics shows first.
    workers = await told(scene, POOL)
    assert "from 1 to 2 workers" in workers.get("Overloaded", workers.get("CapacityShort", "")), workers
