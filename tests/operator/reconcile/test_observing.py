"""Whole rounds of a pool whose load comes from a Prometheus behind TLS and a token."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from phalanx_contract import metrics
from phalanx_operator.build import Versions
from phalanx_operator.reconcile.pool import Reconciler
from tests.e2e.waiting import eventually
from tests.operator.objects import ensemble, pool
from tests.operator.observe.servers import (
    Certificates,
    Gateway,
    RealPrometheus,
    answering,
    needs_prometheus,
    serving,
    vector,
)
from tests.operator.observe.workers import FakeWorker
from tests.operator.reconcile.memory import POOL, MemoryCluster

TOKENS = ("f1rst-t0ken", "sec0nd-t0ken")


class Scene:
    """An operator in a cluster in memory, with one worker that is always busy."""

    def __init__(self, session: aiohttp.ClientSession, worker: FakeWorker, certificates: Certificates) -> None:
        self.cluster = MemoryCluster(ensemble())
        self.cluster.workers.append(worker)
        self.worker, self.certificates = worker, certificates
        self.operator = Reconciler(
            self.cluster, session=session, clock=time.time, versions=Versions(worker_image="worker:1")
        )

    def put_pool(self, url: str) -> None:
        """A pool that reads metrics there; each of them names the Secret `prom` and the ConfigMap `roots`."""
        prometheus = {
            "url": url,
            "authorization": {"credentials": {"name": "prom"}},
            "tlsConfig": {"ca": {"configMap": {"name": "roots"}}},
        }
        self.cluster.put(pool(metrics={"interval": "1s", "staleAfter": "10s", "prometheus": prometheus}))

    def put_secret(self, token: str) -> None:
        data = {"token": base64.b64encode(token.encode()).decode()}
        self.cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prom"}, "data": data})

    def put_authorities(self, pem: str) -> None:
        meta = {"name": "roots"}
        self.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": pem}})

    async def told(self, reason: str) -> tuple[str, dict[str, Any]]:
        """Rounds until the condition MetricsAvailable has this reason; its message, and the ensemble's status."""

        async def probe() -> str:
            await self.operator.round(POOL)
            self.cluster.serve()
            _, now, message = self.cluster.condition("ServingPool", "gpus", "MetricsAvailable")
            assert now == reason, message
            return message

        message = await eventually(probe, within_s=90, every_s=0.2)
        return message, self.cluster.status("StudentEnsemble", "sentiment")

    def everything_told(self, caplog: pytest.LogCaptureFixture) -> str:
        """Statuses, events, children and logs: wherever a person might look."""
        kinds = ("ServingPool", "StudentEnsemble")
        statuses = [obj.get("status") for kind in kinds for obj in self.cluster.store.all_of(kind)]
        kinds = ("ConfigMap", "Deployment", "Service")
        children = [obj for kind in kinds for obj in self.cluster.live.all_of(kind)]
        return f"{statuses} {self.cluster.notes} {children} {self.cluster.plan} {self.operator!r} {caplog.text}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "pki")


@pytest.fixture
async def scene(certificates) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(FakeWorker("w-0").serving())
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def work() -> None:
            while True:
                worker.metric(metrics.OFFERED_TOKENS).labels(ensemble="sentiment").inc(10)
                worker.metric(metrics.REQUEST_SECONDS).labels(ensemble="sentiment").observe(0.01)
                await asyncio.sleep(0.05)

        task = asyncio.create_task(work())
        stack.callback(task.cancel)
        yield Scene(session, worker, certificates)


@needs_prometheus
async def test_behind_tls_and_token_killed_and_started_again(scene: Scene, tmp_path: Path, caplog):
    """What is missing is said with its next step, each in turn; nothing that was decided is lost meanwhile."""
    caplog.set_level("DEBUG")
    server = RealPrometheus(tmp_path, certificates=scene.certificates)
    server.scrape({"pods": [(scene.worker.target.address, {"namespace": "default", "pod": "w-0"})]})
    gateway = Gateway(server.url, token=TOKENS[0], tls=scene.certificates.of_client)
    async with serving(gateway.handle, tls=scene.certificates.of_server) as url, server.running():
        scene.put_pool(url)
        message, _ = await scene.told("MetricsUnauthorized")
        assert "Secret prom does not exist; create it with the key token" in message
        scene.put_secret(TOKENS[0])
        scene.put_authorities(Certificates(tmp_path / "old").ca)
        await scene.told("MetricsUnauthorized")
        scene.put_authorities(scene.certificates.ca)
        _, before = await scene.told("MetricsFresh")
        assert before["decision"]["reason"] == "AtCeiling"

        await server.kill()
        _, held = await scene.told("MetricsUnreachable")
        assert held["decision"]["action"] == "Hold"
        assert held["students"] == before["students"]
        await server.start()
        _, after = await scene.told("MetricsFresh")
        assert after["decision"]["reason"] == "AtCeiling"

        gateway.token = TOKENS[1]
        message, held = await scene.told("MetricsUnauthorized")
        assert "HTTP 401: it refuses the token in key token of Secret prom; put a valid one there" in message
        assert held["decision"]["action"] == "Hold"
        scene.put_secret(TOKENS[1])
        await scene.told("MetricsFresh")
    assert set(gateway.refused) == {TOKENS[0]}
    told = scene.everything_told(caplog)
    assert not any(token in told for token in TOKENS)


async def test_a_partial_answer_holds_and_a_whole_one_goes_on(scene: Scene):
    body = vector(({"pod": "w-0", "ensemble": "sentiment"}, time.time()), warnings=["store b is down"])
    async with serving(answering(body), tls=scene.certificates.of_server) as url:
        scene.put_secret(TOKENS[0])
        scene.put_authorities(scene.certificates.ca)
        scene.put_pool(url)
        message, status = await scene.told("MetricsIncomplete")
    assert "the answer is not complete: store b is down" in message
    assert status["decision"]["action"] == "Hold"


async def test_a_token_that_is_refused_is_read_afresh_and_one_that_serves_is_not(scene: Scene):
    asked: list[bool] = []
    read = scene.cluster.secrets

    async def secrets(namespace: str, names: Any, *, fresh: bool = False) -> Any:
        if "prom" in names:
            asked.append(fresh)
        return await read(namespace, names, fresh=fresh)

    scene.cluster.secrets = secrets  # type: ignore[method-assign]
    scene.put_secret(TOKENS[0])
    scene.put_authorities(scene.certificates.ca)
    gateway = Gateway("http://127.0.0.1:9", token=TOKENS[1])
    async with serving(gateway.handle, tls=scene.certificates.of_server) as url:
        scene.put_pool(url)
        await scene.told("MetricsUnauthorized")
        assert asked == [False]
        await eventually(lambda: _again(scene, asked), within_s=60)
    assert asked[1]


async def _again(scene: Scene, asked: list[bool]) -> None:
    await scene.operator.round(POOL)
    assert len(asked) > 1
