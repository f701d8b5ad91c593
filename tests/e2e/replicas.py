"""Replicas of the operator as processes of the test, each with an account of its own, so that the audit log tells them
apart. They have the rights of the chart's operator and share its lease."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import psutil
import yaml

from tests.binaries import REPOSITORY
from tests.e2e.cluster import OPERATOR, SYSTEM, Cluster
from tests.e2e.controlplane import free_port
from tests.e2e.kube import Kube, Object
from tests.e2e.waiting import NotYet

LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/phalanx-operator"
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, kw_only=True, slots=True)
class Replica:
    """One process."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def user(self) -> str:
        """As the audit log names it."""
        return f"system:serviceaccount:{SYSTEM}:{self.name}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Kill it, whatever state it is in."""
        self.process.kill()
        self.process.wait(30)

    def said(self, text: str) -> None:
        """Raises NotYet as long as its log lacks the text."""
        log = self.log.read_text(errors="replace")
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{log}")
        if text not in log:
            raise NotYet(f"{self.name} has not said {text!r}:\n{log[-2000:]}")


def start(cluster: Cluster, folder: Path, name: str) -> Replica:
    """Start a replica under its own account."""
    _grant(cluster, name)
    kubeconfig = folder / f"{name}.kubeconfig"
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": _token(cluster, name)}
    kubeconfig.write_text(yaml.safe_dump(document))
    lease = f"--lease={SYSTEM}/phalanx-operator"
    port = free_port()
    address = ("--host=127.0.0.1", f"--port={port}")
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "phalanx_cli", "operator", lease, f"--identity={name}", *address],
            cwd=REPOSITORY,
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Replica(name=name, url=f"http://127.0.0.1:{port}", process=process, log=log)


def api_server(cluster: Cluster) -> psutil.Process:
    """The process of the control plane that the tests started."""
    port = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["server"].rpartition(":")[2]
    for process in psutil.process_iter(["cmdline"]):
        if f"--secure-port={port}" in (process.info["cmdline"] or []):
            return process
    raise AssertionError(f"no API server at port {port}")


async def leads(replica: Replica) -> bool:
    """What it says of itself at its own port, without asking the API server."""
    async with aiohttp.ClientSession() as session, session.get(f"{replica.url}/metrics") as response:
        return "phalanx_operator_leader 1.0" in await response.text()


async def alive(replica: Replica) -> bool:
    """What its liveness probe would say."""
    async with aiohttp.ClientSession() as session, session.get(f"{replica.url}/healthz") as response:
        return response.status == 200


async def holder(kube: Kube) -> str:
    """Who holds the lease, by what it says."""
    return str((await kube.get(LEASE))["spec"].get("holderIdentity", ""))


async def held_by(kube: Kube, name: str) -> None:
    """Raises NotYet as long as another one does."""
    found = await holder(kube)
    if found != name:
        raise NotYet(f"{found!r} holds the lease, not {name!r}")


def scale(cluster: Cluster, replicas: int) -> None:
    """So many replicas in the release itself; returns when they are there, or gone."""
    cluster.kubectl("scale", OPERATOR, f"--replicas={replicas}", "-n", SYSTEM)
    if replicas:
        cluster.kubectl("rollout", "status", OPERATOR, "-n", SYSTEM, "--timeout=90s")
    else:
        pods = ("pods", "-l", "app.kubernetes.io/component=operator", "-n", SYSTEM)
        cluster.kubectl("wait", "--for=delete", *pods, "--timeout=60s")


def _grant(cluster: Cluster, name: str) -> None:
    """An account with the roles of the chart's operator."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    roles = (
        ("ClusterRoleBinding", "ClusterRole", "phalanx-operator"),
        ("RoleBinding", "Role", "phalanx-operator-lease"),
    )
    objects = [account, *(_binding(name, *role) for role in roles)]
    cluster.kubectl("apply", "-n", SYSTEM, "-f", "-", stdin=yaml.safe_dump_all(objects))


def revoke(cluster: Cluster, name: str) -> None:
    """Take back what `start` granted: who uninstalls the release finds nothing left."""
    made = (f"serviceaccount/{name}", f"clusterrolebinding/replica-{name}", f"rolebinding/replica-{name}")
    cluster.kubectl("delete", "-n", SYSTEM, "--ignore-not-found", *made)


def _binding(name: str, kind: str, role_kind: str, role: str) -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": {"name": f"replica-{name}"},
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}],
    }


def _token(cluster: Cluster, name: str) -> str:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{name}/token"
    answer = cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(request))
    token: str = yaml.safe_load(answer)["status"]["token"]
    return token
