"""The steps of a drain: evict, wait until the worker is gone, wait until its pool is whole again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import click

from phalanx_cli.cluster.read import read, workers
from phalanx_operator.api.types import Key
from phalanx_operator.apply.api import MERGE, ApiError, KubeApi
from phalanx_operator.apply.discovery import served_versions
from phalanx_operator.apply.paths import collection, item
from phalanx_operator.describe.draining import Worker, eviction, missing, on_node
from phalanx_operator.describe.reading import status_of

POLL_S = 1.0
"""Between two looks, in seconds."""
TOO_MANY: Final = 429
"""What the eviction API answers while the PodDisruptionBudget allows none."""


@dataclass(slots=True)
class Drain:
    """One run: where, what is said to whom, and until when (s after its begin)."""

    api: KubeApi
    say: Callable[[str], object]
    timeout_s: float
    dry_run: bool
    said: dict[Key, str] = field(default_factory=dict)

    def tell(self, key: Key, text: str) -> None:
        """Say something about a worker once, however often it is found to be so."""
        if self.said.get(key) != text:
            self.said[key] = text
            self.say(f"{key.name}: {text}")


async def drain_worker(job: Drain, namespace: str, pool: str, name: str) -> None:
    """Replace one worker. Raises ApiError, or click.ClickException if there is no such worker or time runs out."""
    found = [each for each in await workers(job.api, namespace) if each.pool == pool]
    chosen = [each for each in found if each.key.name == name]
    if not chosen:
        names = ", ".join(each.key.name for each in found) or "none"
        raise click.ClickException(f"pool/{pool} in {namespace} has no worker {name}; it has: {names}")
    await _evict_all(job, chosen)


async def drain_node(job: Drain, node: str) -> None:
    """Cordon a node and move the workers of all pools off it. Raises as `drain_worker` does."""
    path = f"{collection('v1', 'Node')}/{node}"
    await job.api.get(path)
    chosen = on_node(await workers(job.api, None), node)
    if not job.dry_run:
        await job.api.patch(path, {"spec": {"unschedulable": True}}, kind=MERGE)
        job.say(f"{node}: cordoned; undo it with kubectl uncordon {node}")
    if not chosen:
        job.say(f"{node}: no worker of Phalanx runs there")
    await _evict_all(job, chosen)


async def _evict_all(job: Drain, chosen: Sequence[Worker]) -> None:
    if job.dry_run:
        for worker in chosen:
            job.say(f"{worker.key.name} of pool/{worker.pool} in {worker.key.namespace} would be evicted")
        return
    api_version = "policy/v1" if "policy/v1" in await served_versions(job.api) else "policy/v1beta1"
    try:
        async with asyncio.timeout(job.timeout_s):
            for worker in chosen:
                await _evict(job, worker, api_version)
                await _replaced(job, worker)
    except TimeoutError:
        left = ", ".join(f"{key.name} ({text})" for key, text in job.said.items())
        raise click.ClickException(
            f"not done within {job.timeout_s:g} s: {left}; run it again to go on, or wait longer with --timeout"
        ) from None


async def _evict(job: Drain, worker: Worker, api_version: str) -> None:
    """Ask until the budget allows it."""
    path = f"{item('v1', 'Pod', worker.key.namespace, worker.key.name)}/eviction"
    while True:
        try:
            await job.api.create(path, eviction(worker, api_version=api_version))
        except ApiError as error:
            if error.gone or error.conflict:
                return  # it left by itself, or another has its name by now
            if error.status != TOO_MANY:
                raise
            job.tell(worker.key, f"waits: pool/{worker.pool} lacks a worker already, and may lack only one at a time")
            await asyncio.sleep(POLL_S)
        else:
            job.tell(worker.key, f"evicted; it finishes its requests, for {worker.grace_s} s at most")
            return


async def _replaced(job: Drain, worker: Worker) -> None:
    """Wait until the worker is gone and its pool has all of its workers."""
    while True:
        present = await workers(job.api, worker.key.namespace)
        if any(each.uid == worker.uid for each in present):
            await asyncio.sleep(POLL_S)
            continue
        wanted = await _wanted(job.api, worker.pool_key)
        lacking = missing(present, worker.pool_key, wanted)
        if not lacking:
            job.tell(worker.key, f"gone; all {wanted} workers of pool/{worker.pool} are ready")
            return
        job.tell(worker.key, f"gone; waiting for {lacking} of {wanted} workers of pool/{worker.pool} to be ready")
        await asyncio.sleep(POLL_S)


async def _wanted(api: KubeApi, pool: Key) -> int:
    """How many workers a pool wants now; none if it is gone."""
    try:
        status = status_of(await read(api, "ServingPool", pool))
    except ApiError as error:
        if error.gone:
            return 0
        raise
    wanted: int = status["wanted"] if "wanted" in status else status.get("replicas", 0)
    return wanted
