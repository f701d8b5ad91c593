"""Jobs as processes: what the Job controller and a kubelet do for Jobs with one pod at a time."""

from __future__ import annotations

import asyncio
import copy
import logging
import time
from collections.abc import Callable
from typing import Final

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import pool_of
from phalanx_operator.local.launch import LaunchError
from phalanx_operator.local.podstatus import PodStatus, pod_status, timestamp
from phalanx_operator.local.runner import PodProcess, ProcessRunner
from phalanx_operator.local.volumes import Contents, VolumeError
from phalanx_operator.local.workload import HOST, free_port
from phalanx_operator.reconcile.backoff import Backoff

logger = logging.getLogger(__name__)

RETRY: Final = Backoff(initial_s=1.0, max_s=60.0)

Show = Callable[[Manifest], Contents]
"""What the volumes of a pod show."""


class LocalJob:
    """One Job: its pods run one after the other, until one succeeds or there are no tries left."""

    def __init__(self, manifest: Manifest, runner: ProcessRunner, *, show: Show, changed: Callable[[], None]) -> None:
        self._manifest = manifest
        self._runner = runner
        self._show = show
        self._changed = changed
        self._pods: list[PodProcess] = []
        self._created: list[float] = []
        self._condition: Manifest | None = None
        self._task = asyncio.create_task(self._run(), name=f"job {self.name}")

    def __repr__(self) -> str:
        return f"<LocalJob {self.name} {self._pods}>"

    @property
    def name(self) -> str:
        """Of the Job."""
        return str(self._manifest["metadata"]["name"])

    def job(self) -> Manifest:
        """It as a Kubernetes object."""
        return {**self._manifest, "status": {"conditions": [self._condition] if self._condition else []}}

    def pods(self) -> list[Manifest]:
        """Its pods, those that failed too, as Kubernetes objects."""
        now = time.time()
        return [
            {**pod.manifest, "status": pod_status(pod.manifest, pod.status, host=pod.host, now=now)}
            for pod in self._pods
        ]

    async def stop(self, *, grace_s: float | None = None) -> None:
        """End its process. What it has done stays, for the next Job to go on from."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(pod.stop(grace_s=grace_s) for pod in self._pods))

    async def _run(self) -> None:
        deadline_s = self._manifest["spec"].get("activeDeadlineSeconds")
        try:
            async with asyncio.timeout(deadline_s):
                held = await self._tries()
        except TimeoutError:
            held = _condition("Failed", "DeadlineExceeded", f"it took longer than {deadline_s} s")
        self._condition = held | {"lastTransitionTime": timestamp(time.time())}
        self._changed()

    async def _tries(self) -> Manifest:
        """Pods one after the other; returns the condition that the Job ends with."""
        limit = RETRY
        while limit.failures <= self._manifest["spec"]["backoffLimit"]:
            await asyncio.sleep(limit.delay_s)
            ended = await self._try()
            if ended.phase == "Succeeded":
                return _condition("Complete", "", "")
            if ended.exit_code in final_codes(self._manifest):
                return _condition("Failed", "PodFailurePolicy", f"its pod ended with code {ended.exit_code}")
            limit = limit.failed()
        return _condition("Failed", "BackoffLimitExceeded", f"its pods failed {limit.failures} times")

    async def _try(self) -> PodStatus:
        """Run one pod to its end."""
        while True:
            number = len(self._pods) + 1
            manifest = pod_of_job(self._manifest, number=number, port=free_port(), created=timestamp(time.time()))
            try:
                pod = await self._runner.start(
                    manifest, host=HOST, contents=self._show(manifest), on_change=lambda _: self._changed()
                )
            except (VolumeError, LaunchError, OSError) as error:
                logger.error("pod %s cannot start: %s", manifest["metadata"]["name"], error)
                await asyncio.sleep(RETRY.failed().delay_s)
                continue
            self._pods.append(pod)
            try:
                return await pod.wait()
            except BaseException:
                await pod.stop()
                raise


class LocalJobs:
    """All Jobs, by name."""

    def __init__(self, runner: ProcessRunner, *, show: Show, changed: Callable[[Key], None]) -> None:
        self._runner = runner
        self._show = show
        self._changed = changed
        self._jobs: dict[Key, LocalJob] = {}

    def __repr__(self) -> str:
        return f"<LocalJobs {list(self._jobs.values())}>"

    def apply(self, manifest: Manifest) -> None:
        """Begin a Job; one that is there stays as it is."""
        key, pool = _key(manifest), pool_of(manifest)
        if key not in self._jobs and pool is not None:
            copied = copy.deepcopy(manifest)
            self._jobs[key] = LocalJob(copied, self._runner, show=self._show, changed=lambda: self._changed(pool))

    async def delete(self, manifest: Manifest) -> None:
        """End a Job and forget it."""
        job = self._jobs.pop(_key(manifest), None)
        if job is not None:
            await job.stop()

    def all(self) -> list[Manifest]:
        """As Kubernetes objects."""
        return [job.job() for job in self._jobs.values()]

    def of(self, pool: Key) -> list[Manifest]:
        """The Jobs whose results are for a pool."""
        return [job for job in self.all() if pool_of(job) == pool]

    def pods_of(self, pool: Key) -> list[Manifest]:
        """Their pods."""
        return [pod for job in self._jobs.values() if pool_of(job.job()) == pool for pod in job.pods()]

    async def close_pool(self, pool: Key, *, grace_s: float | None = None) -> None:
        """End the Jobs whose results are for a pool."""
        gone = [key for key, job in self._jobs.items() if pool_of(job.job()) == pool]
        await asyncio.gather(*(self._jobs.pop(key).stop(grace_s=grace_s) for key in gone))


def pod_of_job(job: Manifest, *, number: int, port: int, created: str) -> Manifest:
    """The Pod object of a Job's try, which answers on `port` of this host. Pure."""
    template = copy.deepcopy(job["spec"]["template"])
    for container in template["spec"]["containers"]:
        for entry in container.get("ports", []):
            entry["containerPort"] = port
    meta = job["metadata"]
    metadata = {
        **template["metadata"],
        "labels": {**template["metadata"]["labels"], "job-name": meta["name"]},
        "name": f"{meta['name']}-{number}",
        "namespace": meta["namespace"],
        "uid": f"{meta['name']}-{number}",
        "creationTimestamp": created,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def final_codes(job: Manifest) -> set[int]:
    """Exit codes that end a Job at once, by its failure policy. Pure."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules", [])
    return {
        code
        for rule in rules
        if rule["action"] == "FailJob" and "onExitCodes" in rule
        for code in rule["onExitCodes"]["values"]
    }


def _condition(kind: str, reason: str, message: str) -> Manifest:
    return {"type": kind, "status": "True", "reason": reason, "message": message}


def _key(manifest: Manifest) -> Key:
    return Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
