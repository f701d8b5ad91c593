"""Killing with -9, and what brings each thing back: its node, or whoever looks after the control plane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import psutil

from bench.chaos.plan import Fault, Strike
from bench.chaos.stage import Stage
from tests.e2e.cluster import SYSTEM
from tests.e2e.replicas import holder
from tests.e2e.scene import process_of
from tests.e2e.waiting import NotYet, eventually

_BACK_S: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Struck:
    """When it was killed and when it ran again (s of the monotonic clock); `pod` where it was a worker's."""

    killed_at: float
    back_at: float
    pod: str = ""


async def _prometheus(stage: Stage, strike: Strike) -> Struck:
    killed_at = time.monotonic()
    stage.prometheus.kill()
    await stage.change()
    await asyncio.sleep(strike.down_s)
    await asyncio.to_thread(stage.prometheus.start)
    return Struck(killed_at=killed_at, back_at=time.monotonic())


async def _api_server(stage: Stage, strike: Strike) -> Struck:
    plane = stage.scene.cluster.plane
    assert plane is not None, "only a control plane of our own can be killed"
    killed_at = time.monotonic()
    plane.kill("kube-apiserver")
    await asyncio.sleep(strike.down_s)
    await asyncio.to_thread(plane.restart_apiserver)
    back_at = time.monotonic()
    await stage.change()
    return Struck(killed_at=killed_at, back_at=back_at)


async def _worker(stage: Stage, strike: Strike) -> Struck:
    pods = sorted(stage.service.ready)
    pod = pods[int(strike.which * len(pods))]
    process = await asyncio.to_thread(process_of, pod)
    process.kill()
    killed_at = time.monotonic()
    await stage.change()
    return Struck(killed_at=killed_at, back_at=await _again(lambda: process_of(pod), process), pod=pod)


async def _operator(stage: Stage, strike: Strike) -> Struck:
    """The one that leads; another one, if there is any, takes over."""
    pod = (await holder(stage.scene.kube)).rpartition("_")[0]
    process = await asyncio.to_thread(_operator_of, pod)
    process.kill()
    killed_at = time.monotonic()
    await stage.change()
    return Struck(killed_at=killed_at, back_at=await _again(lambda: _operator_of(pod), process))


async def _again(find: Callable[[], psutil.Process], before: psutil.Process) -> float:
    """When another process than before runs."""

    async def probe() -> float:
        if (await asyncio.to_thread(find)).pid == before.pid:
            raise NotYet("the killed process is still there")
        return time.monotonic()

    return await eventually(probe, within_s=_BACK_S, every_s=0.1)


def _operator_of(pod: str) -> psutil.Process:
    """The operator's process in a pod of the process node: its folder is the pod's."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        own = "phalanx_cli" in words and "operator" in words and not any("tether" in str(word) for word in words)
        if own and str(process.info["cwd"]).endswith(f"/{SYSTEM}-{pod}"):
            return process
    raise NotYet(f"no operator runs in pod {pod}")


STRIKES: Final[Mapping[Fault, Callable[[Stage, Strike], Awaitable[Struck]]]] = {
    Fault.PROMETHEUS: _prometheus,
    Fault.WORKER: _worker,
    Fault.OPERATOR: _operator,
    Fault.API_SERVER: _api_server,
}
