"""One Deployment as processes, and its Service as a proxy in front of them."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from phalanx_operator.api.types import Manifest
from phalanx_operator.local.launch import LaunchError
from phalanx_operator.local.pods import pod_of, template_hash
from phalanx_operator.local.podstatus import pod_status
from phalanx_operator.local.proxy import Proxy
from phalanx_operator.local.rollout import Member, next_change
from phalanx_operator.local.runner import PodProcess, ProcessRunner
from phalanx_operator.local.volumes import Contents, VolumeError

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"


class Workload:
    """`deployment` and `contents` are what should be; `sync` takes one step towards it."""

    def __init__(self, runner: ProcessRunner, *, changed: Callable[[], None]) -> None:
        self.proxy = Proxy()
        self.deployment: Manifest | None = None
        self.contents = Contents()
        self._runner = runner
        self._changed = changed
        self._pods: dict[str, PodProcess] = {}
        self._hashes: dict[str, str] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._number = 0
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Workload {list(self._pods.values())}>"

    @property
    def running(self) -> list[PodProcess]:
        """Its processes, those that are being stopped left out."""
        return [pod for name, pod in self._pods.items() if name not in self._stopping]

    def pods(self) -> list[Manifest]:
        """Its pods as Kubernetes objects."""
        now = time.time()
        found = []
        for name, pod in self._pods.items():
            metadata = dict(pod.manifest["metadata"])
            if name in self._stopping:
                metadata["deletionTimestamp"] = ""
            status = pod_status(pod.manifest, pod.status, host=pod.host, now=now)
            found.append({**pod.manifest, "metadata": metadata, "status": status})
        return found

    async def sync(self) -> None:
        """Start and stop what the Deployment asks for now; route to what is ready."""
        async with self._lock:
            await self._step()
        self.proxy.route([(pod.host, pod.port) for pod in self.running if pod.status.ready])

    async def _step(self) -> None:
        if self.deployment is not None:
            spec = self.deployment["spec"]
            rolling = spec.get("strategy", {}).get("rollingUpdate", {})
            change = next_change(
                [self._member(pod) for pod in self.running],
                replicas=spec["replicas"],
                max_surge=rolling.get("maxSurge", 0),
                max_unavailable=rolling.get("maxUnavailable", 1),
            )
            for name in change.stop:
                self._stop(name)
            for _ in range(change.create):
                await self._start(self.deployment)

    def update(self, contents: Contents) -> None:
        """Show new ConfigMaps and Secrets to all processes."""
        self.contents = contents
        for pod in self.running:
            try:
                pod.update(contents)
            except VolumeError as error:
                logger.warning("pod %s: %s", pod.name, error)

    async def stop(self, *, grace_s: float | None = None) -> None:
        """End all processes at the same time, then the proxy."""
        self.deployment = None
        for name in list(self._pods):
            self._stop(name, grace_s=grace_s)
        await asyncio.gather(*self._stopping.values(), return_exceptions=True)
        await self.proxy.close()

    def _member(self, pod: PodProcess) -> Member:
        assert self.deployment is not None
        current = self._hashes[pod.name] == template_hash(self.deployment)
        return Member(name=pod.name, current=current, ready=pod.status.ready)

    async def _start(self, deployment: Manifest) -> None:
        manifest = pod_of(deployment, number=self._number, port=free_port())
        self._number += 1
        try:
            pod = await self._runner.start(
                manifest, host=HOST, contents=self.contents, on_change=lambda _: self._changed()
            )
        except (VolumeError, LaunchError, OSError) as error:
            logger.error("pod %s cannot start: %s", manifest["metadata"]["name"], error)
            return
        self._pods[pod.name] = pod
        self._hashes[pod.name] = template_hash(deployment)

    def _stop(self, name: str, *, grace_s: float | None = None) -> None:
        if name not in self._stopping:
            self._stopping[name] = asyncio.create_task(self._end(name, grace_s))

    async def _end(self, name: str, grace_s: float | None) -> None:
        try:
            await self._pods[name].stop(grace_s=grace_s)
        finally:
            del self._pods[name], self._hashes[name], self._stopping[name]
            self._changed()


def contents_of(config_maps: list[Manifest], secrets: list[Manifest], claims: Mapping[str, Path]) -> Contents:
    """The volumes' contents from objects. Pure."""
    return Contents(
        config_maps={obj["metadata"]["name"]: _files(obj) for obj in config_maps},
        secrets={obj["metadata"]["name"]: _decoded(obj.get("data")) for obj in secrets},
        claims=claims,
    )


def _files(config_map: Manifest) -> dict[str, bytes]:
    text = {name: content.encode() for name, content in (config_map.get("data") or {}).items()}
    return text | _decoded(config_map.get("binaryData"))


def _decoded(data: Mapping[str, str] | None) -> dict[str, bytes]:
    return {name: base64.b64decode(content) for name, content in (data or {}).items()}


def free_port() -> int:
    """Free now; the process binds it some moments later. Should another program take it, the process ends, and
    its pod is started again with the same port: a rare nuisance, seen in the pod's log."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
