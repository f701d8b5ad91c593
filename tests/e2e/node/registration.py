"""The Node object and its heartbeats. The node controller trusts the lease and the Ready condition."""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

from tests.e2e.kube import ApiError, Kube, Object

_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_LEASE_DURATION_S: Final = 40
_HEARTBEAT_S: Final = 5.0


async def register(kube: Kube, name: str, *, gpus: int) -> None:
    """Create the node and report it ready, so that the scheduler binds pods to it."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    try:
        await kube.create("/api/v1/nodes", node)
    except ApiError as error:
        if error.code != 409:
            raise
    await _beat(kube, name, gpus=gpus)
    await kube.apply(f"{_LEASES}/{name}", _lease(name), manager="node")


async def heartbeat(kube: Kube, name: str, *, gpus: int) -> None:
    """Renew lease and status for ever; a failed renewal is tried again at the next beat."""
    while True:
        await asyncio.sleep(_HEARTBEAT_S)
        try:
            await kube.apply(f"{_LEASES}/{name}", _lease(name), manager="node")
            await _beat(kube, name, gpus=gpus)
        except ApiError as problem:
            print(f"heartbeat: {problem}", flush=True)


async def _beat(kube: Kube, name: str, *, gpus: int) -> None:
    await kube.strategic_merge(f"/api/v1/nodes/{name}/status", {"status": _status(gpus)})


def _now(timespec: str) -> str:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return now.isoformat(timespec=timespec) + "Z"


def _status(gpus: int) -> Object:
    room = {"cpu": "64", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": str(gpus)}
    beat = _now("seconds")
    ready = {"type": "Ready", "status": "True", "reason": "NodeReady", "message": "processes run here"}
    pressure = [
        {"type": kind, "status": "False", "reason": "Unmeasured", "message": "a test node measures nothing"}
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
    ]
    return {
        "capacity": room,
        "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "conditions": [condition | {"lastHeartbeatTime": beat} for condition in [ready, *pressure]],
    }


def _lease(name: str) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": _LEASE_DURATION_S,
            "renewTime": _now("microseconds"),
        },
    }
