"""Where a test plays: a namespace with artifacts, and what is asked again and again of what runs in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from phalanx_contract.runtime import ENV_POD_NAME, HTTP_PORT
from tests.e2e.client import Worker
from tests.e2e.cluster import Cluster
from tests.e2e.kube import Kube, Object, path_of
from tests.e2e.waiting import NotYet, eventually

LABEL_POOL = "phalanx.dev/pool"
_PROGRAMS: Final = frozenset({"phalanx_cli", "tests.e2e.paced"})
"""What workers run on the process node."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """A worker's pod as one object: two are equal while nothing restarted."""

    name: str
    uid: str
    restarts: int
    pid: int
    ip: str

    @property
    def worker(self) -> Worker:
        """Its HTTP side."""
        return Worker(f"http://{self.ip}:{HTTP_PORT}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One namespace. `folder` is what the claim in it holds."""

    cluster: Cluster
    kube: Kube
    namespace: str
    folder: Path

    async def apply(self, *objects: Object) -> None:
        """Apply objects, as a user would with kubectl."""
        for item in objects:
            await self.kube.apply(path_of(item["kind"], item["metadata"]["name"], namespace=self.namespace), item)

    async def patch(self, kind: str, name: str, spec: Object) -> int:
        """Change some fields of a spec; returns the new generation."""
        patched = await self.kube.merge(path_of(kind, name, namespace=self.namespace), {"spec": spec})
        generation: int = patched["metadata"]["generation"]
        return generation

    async def delete(self, kind: str, name: str) -> None:
        await self.kube.delete(path_of(kind, name, namespace=self.namespace))

    async def find(self, kind: str, name: str) -> Object | None:
        return await self.kube.find(path_of(kind, name, namespace=self.namespace))

    async def status(self, kind: str, name: str) -> Object:
        """The status, once it is about the spec as it is now."""
        found = await self.kube.get(path_of(kind, name, namespace=self.namespace))
        status: Object = found.get("status", {})
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            raise NotYet(f"{kind} {name}: the status is about an older spec: {json.dumps(status)}")
        return status

    async def condition(self, kind: str, name: str, wanted: str) -> Object:
        """One condition of a current status."""
        status = await self.status(kind, name)
        for condition in status.get("conditions", []):
            if condition["type"] == wanted:
                return dict(condition)
        raise NotYet(f"{kind} {name} has no condition {wanted}: {json.dumps(status)}")

    async def ready(self, kind: str, name: str, *, within_s: float = 60.0) -> None:
        """Wait for the condition Ready."""

        async def probe() -> None:
            condition = await self.condition(kind, name, "Ready")
            if condition["status"] != "True":
                raise NotYet(f"{kind} {name}: {json.dumps(await self.status(kind, name), indent=1)}")

        await eventually(probe, within_s=within_s)

    async def pod(self, pool: str) -> Pod:
        """The only worker of a pool, once it is ready."""
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={LABEL_POOL}%3D{pool}"
        pods = [item for item in await self.kube.items(path) if "deletionTimestamp" not in item["metadata"]]
        ready = [item for item in pods if is_ready(item)]
        if len(ready) != 1 or len(pods) != 1:
            seen = {item["metadata"]["name"]: item.get("status", {}).get("containerStatuses") for item in pods}
            raise NotYet(f"pool {pool} has not exactly one worker, and that ready: {json.dumps(seen)}")
        (pod,) = ready
        return Pod(
            name=pod["metadata"]["name"],
            uid=pod["metadata"]["uid"],
            restarts=pod["status"]["containerStatuses"][0]["restartCount"],
            pid=process_of(pod["metadata"]["name"]).pid,
            ip=pod["status"]["podIP"],
        )

    async def worker(self, pool: str) -> Worker:
        """The HTTP side of the pool's only worker."""
        return (await eventually(lambda: self.pod(pool), within_s=60)).worker

    async def children(self, pool: str) -> list[str]:
        """Everything in the namespace that belongs to a pool, as `kind/name`."""
        groups = {
            "/api/v1": ("configmaps", "services", "serviceaccounts", "pods"),
            "/apis/apps/v1": ("deployments", "replicasets"),
            "/apis/networking.k8s.io/v1": ("networkpolicies",),
            "/apis/policy/v1beta1": ("poddisruptionbudgets",),
        }
        if await self.kube.find("/apis/policy/v1") is not None:
            groups["/apis/policy/v1"] = groups.pop("/apis/policy/v1beta1")
        found = []
        for group, kinds in groups.items():
            for kind in kinds:
                path = f"{group}/namespaces/{self.namespace}/{kind}?labelSelector={LABEL_POOL}%3D{pool}"
                found += [f"{kind}/{item['metadata']['name']}" for item in await self.kube.items(path)]
        return sorted(found)


def process_of(pod: str) -> psutil.Process:
    """The worker's process of a pod on the process node.

    Raises:
        NotYet: it does not run.
    """
    for process in _processes():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(ENV_POD_NAME) == pod:
                return process
    raise NotYet(f"pod {pod} has no process")


def _processes() -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        words: list[Any] = process.info["cmdline"] or []
        if _PROGRAMS.intersection(words) and "serve" in words and not any("tether" in str(word) for word in words):
            yield process


def is_ready(pod: Object) -> bool:
    """The condition Ready of a pod."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
