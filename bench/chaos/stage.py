"""Where it happens: a pool of paced workers in a cluster, a Prometheus, a Service, and what they are seen to hold."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.chaos.levels import Level
from phalanx_contract.metrics import STUDENTS_CEILING
from tests.e2e import resources
from tests.e2e.artifacts import STUDENTS, WORDS, Artifact
from tests.e2e.client import Worker
from tests.e2e.following import follow
from tests.e2e.kube import ApiError, Object, path_of
from tests.e2e.prometheus import Prometheus
from tests.e2e.scene import LABEL_POOL, Scene
from tests.e2e.service import Service
from tests.e2e.waiting import NotYet, eventually

POOL: Final = "gpus"
MODEL: Final = "sentiment"
WORKERS: Final = 3
TEXT: Final = " ".join((WORDS * 2)[:28])
"""30 tokens: a paced worker answers 55 of them a second with all three students."""
_CONDITIONS: Final = {
    ("ServingPool", POOL): ("Ready", "Available", "PlanServed", "Applied", "MetricsAvailable"),
    ("StudentEnsemble", MODEL): ("Ready", "Loaded", "PlanServed"),
}
_LOOK_S: Final = 1.0
_CEILING: Final = re.compile(rf'^{STUDENTS_CEILING.exposed}{{ensemble="{MODEL}"}} (\d+)', re.MULTILINE)


@dataclass(kw_only=True, slots=True)
class Stage:
    """All that strikes reach for."""

    scene: Scene
    prometheus: Prometheus
    service: Service
    students: Level = field(default_factory=Level)
    workers: Level = field(default_factory=Level)
    changes: int = 0

    async def change(self) -> None:
        """Change something that has to reach every worker, and neither students nor workers hang on."""
        self.changes += 1
        loss = 0.9 + self.changes % 50 / 1000
        await self.scene.patch("StudentEnsemble", MODEL, {"accuracy": {"loss": loss, "burstLoss": loss}})

    async def converged(self) -> None:
        """Raises NotYet before all is as it should be: every worker is there and serves what the specs say now."""
        try:
            pool = await self.scene.status("ServingPool", POOL)
            for (kind, name), wanted in _CONDITIONS.items():
                for each in wanted:
                    found = await self.scene.condition(kind, name, each)
                    if found["status"] != "True":
                        raise NotYet(f"{each}: {found['message']}")
        except ApiError as problem:
            raise NotYet(str(problem)) from problem
        ready = dict(self.service.ready)
        if not pool["wanted"] == pool["readyReplicas"] == len(ready):
            raise NotYet(f"{pool['wanted']} workers are wanted, {len(ready)} are ready")
        for pod, report in zip(ready, await asyncio.gather(*map(_plan_of, ready.values())), strict=True):
            if report != pool["plan"]["hash"]:
                raise NotYet(f"{pod} serves {report}, the plan is {pool['plan']['hash']}")


async def _plan_of(address: str) -> str:
    return (await Worker(f"http://{address}").status()).plan


@asynccontextmanager
async def stage(scene: Scene, prometheus: Prometheus, artifact: Artifact) -> AsyncIterator[Stage]:
    """A pool whose workers serve the model, all of them wanted by the load alone once the spec allows fewer."""
    metrics = {"interval": "1s", "staleAfter": "10s", "prometheus": {"url": prometheus.url}}
    # Far from what a batch takes: a machine that is busy with starting things must not cost students.
    pool = resources.paced_pool(POOL, replicas=_between(WORKERS), objective={"p99": "3s"}, metrics=metrics)
    await scene.apply(pool, resources.ensemble(MODEL, pool=POOL, path=MODEL, digest=artifact.digest))
    service = Service(
        scene.kube, scene.namespace, POOL, changed=lambda known: prometheus.scrape_all(scene.namespace, known)
    )
    found = Stage(scene=scene, prometheus=prometheus, service=service)
    runs = (service.follow(), *_watches(found), _look(found))
    tasks = [asyncio.create_task(each) for each in runs]
    try:
        await eventually(found.converged, within_s=120)
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def left_to_load(found: Stage) -> None:
    """Let the spec allow a single worker, under load; returns when it is the load that keeps all of them."""
    await found.scene.patch("ServingPool", POOL, {"replicas": _between(1)})

    async def kept() -> None:
        await found.converged()
        decision = (await found.scene.status("ServingPool", POOL))["decision"]
        if decision["reason"] in ("SpecBounds", "MetricsMissing"):
            raise NotYet(f"no decision by load yet: {decision}")
        held = (found.workers.before(time.monotonic()), found.students.before(time.monotonic()))
        if held != (WORKERS, STUDENTS):
            raise NotYet(f"{held} workers and students are held, of {(WORKERS, STUDENTS)}")

    await eventually(kept, within_s=60)


def _between(fewest: int) -> Object:
    return {"min": fewest, "max": WORKERS}


def _watches(found: Stage) -> tuple[Coroutine[Any, Any, None], ...]:
    """What the API server tells, each change of it."""
    scene = found.scene
    deployments = f"/apis/apps/v1/namespaces/{scene.namespace}/deployments?labelSelector={LABEL_POOL}%3D{POOL}"

    def wanted(objects: Iterable[Object]) -> None:
        for each in objects:
            found.workers.note("deployment", each["spec"]["replicas"], at=time.monotonic())

    def allowed(objects: Iterable[Object]) -> None:
        for each in objects:
            ceiling = each.get("status", {}).get("students", {}).get("ceiling")
            found.students.note("status", ceiling, at=time.monotonic())

    ensembles = path_of("StudentEnsemble", namespace=scene.namespace)
    return follow(scene.kube, deployments, wanted), follow(scene.kube, ensembles, allowed)


async def _look(found: Stage) -> None:
    """What the workers themselves allow, for ever: they serve also while nobody can write a status."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while True:
            for pod, address in list(found.service.known.items()):
                found.students.note(pod, await _ceiling(session, address), at=time.monotonic())
            await asyncio.sleep(_LOOK_S)


async def _ceiling(session: aiohttp.ClientSession, address: str) -> int | None:
    """None where the worker does not answer, or does not serve the model yet."""
    try:
        async with session.get(f"http://{address}/metrics") as response:
            match = _CEILING.search(await response.text())
    except (aiohttp.ClientError, TimeoutError):
        return None
    return int(match[1]) if match else None
