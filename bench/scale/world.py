"""The processes: control plane, node and operator, and what the operator's process takes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.binaries import REPOSITORY
from tests.e2e.audit import AuditLog
from tests.e2e.cluster import SYSTEM, Cluster
from tests.e2e.controlplane import ControlPlane, find_binaries, free_port, kubeconfig
from tests.e2e.kube import Kube, Object

_END_S: Final = 30.0
_TOKEN_S: Final = 7200


@dataclass(frozen=True, slots=True)
class World:
    """A control plane with a node; `folder` has the logs."""

    plane: ControlPlane
    folder: Path

    @property
    def cluster(self) -> Cluster:
        """For kubectl."""
        return Cluster(kubeconfig=self.plane.kubeconfig, pods=self.folder, plane=self.plane)

    @property
    def audit(self) -> AuditLog:
        """What the operator asked of the API server, in the server's own words."""
        return self.plane.audit

    @contextlib.contextmanager
    def operator(self, token: str) -> Iterator[psutil.Process]:
        """The operator while it runs, as the owner of a token."""
        config = self.folder / "operator.kubeconfig"
        config.write_text(kubeconfig(server=self.plane.url, ca=self.plane.folder / "ca.crt", token=token))
        command = [sys.executable, "-m", "phalanx_cli", "operator", "--port", str(free_port()), "--host", "127.0.0.1"]
        with self._process(command, "operator", env={"KUBECONFIG": str(config)}) as process:
            yield psutil.Process(process.pid)

    @contextlib.contextmanager
    def _process(
        self, command: list[str], name: str, *, env: dict[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env={**os.environ, **(env or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(_END_S)

    @contextlib.contextmanager
    def node(self, *, gpus: int) -> Iterator[None]:
        """A node with so many GPUs, whose pods are processes."""
        pods = self.folder / "pods"
        pods.mkdir()
        command = [sys.executable, "-m", "tests.e2e.node", "--kubeconfig", str(self.plane.kubeconfig)]
        with self._process([*command, "--root", str(pods), "--gpus", str(gpus)], "node"):
            yield


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """A control plane of its own."""
    (folder / "plane").mkdir()
    plane = ControlPlane(find_binaries(), folder / "plane")
    try:
        plane.start()
        yield World(plane, folder)
    finally:
        plane.stop()


class Usage:
    """What a process takes. `share` is of one core, since the last look; memory is resident."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._at, self._cpu_s = time.monotonic(), self._used_s()
        self.most_bytes = 0

    def look(self) -> float:
        """The share of a core since the last look."""
        now, cpu_s = time.monotonic(), self._used_s()
        share = (cpu_s - self._cpu_s) / max(now - self._at, 1e-9)
        self._at, self._cpu_s = now, cpu_s
        return share

    def note_memory(self) -> None:
        """Remember the most."""
        self.most_bytes = max(self.most_bytes, self.bytes_now())

    def bytes_now(self) -> int:
        """Resident memory."""
        return int(self._process.memory_info().rss)

    def _used_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


async def account(kube: Kube) -> str:
    """A token of a service account that may do everything, in the namespace whose accounts are audited."""
    await kube.create("/api/v1/namespaces", _named("Namespace", SYSTEM))
    base = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts"
    await kube.create(base, _named("ServiceAccount", "operator"))
    binding = _named("ClusterRoleBinding", "operator", group="rbac.authorization.k8s.io/v1") | {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": SYSTEM}],
    }
    await kube.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [], "expirationSeconds": _TOKEN_S},
    }
    answer = await kube.create(f"{base}/operator/token", request)
    token: str = answer["status"]["token"]
    return token


def _named(kind: str, name: str, *, group: str = "v1") -> Object:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}}
