"""The GPUs that the node says it has, somebody who takes them, and a quota that lets a namespace have few."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from tests.e2e.kube import Kube
from tests.e2e.node.images import UNPULLABLE
from tests.e2e.waiting import NotYet, eventually

GPU: Final = "nvidia.com/gpu"


async def free(kube: Kube) -> int:
    """GPUs that no pod asks for."""
    used = sum(
        int(container.get("resources", {}).get("limits", {}).get(GPU, 0))
        for pod in await kube.items("/api/v1/pods")
        if "deletionTimestamp" not in pod["metadata"]
        for container in pod["spec"]["containers"]
    )
    (node,) = await kube.items("/api/v1/nodes")
    return int(node["status"]["allocatable"][GPU]) - used


@contextlib.asynccontextmanager
async def taken(kube: Kube, namespace: str) -> AsyncIterator[None]:
    """Until the end of the block a pod has all GPUs that were free. It never starts, and holds what it was given."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    limits = {"limits": {GPU: str(await free(kube))}}
    thief = {"name": "thief", "image": f"{UNPULLABLE}thief", "resources": limits}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "thief"}, "spec": {"containers": [thief]}}
    await kube.create(pods, body)

    async def bound() -> None:
        if "nodeName" not in (await kube.get(f"{pods}/thief"))["spec"]:
            raise NotYet("pods that end still have GPUs")

    try:
        await eventually(bound, within_s=60)
        yield
    finally:
        await kube.delete(f"{pods}/thief", grace_s=0)


@contextlib.asynccontextmanager
async def rationed(kube: Kube, namespace: str, *, gpus: int) -> AsyncIterator[None]:
    """Until the end of the block the namespace's pods have so many GPUs at most, and none is created beyond."""
    quotas, hard = f"/api/v1/namespaces/{namespace}/resourcequotas", {f"requests.{GPU}": str(gpus)}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"}, "spec": {"hard": hard}}
    await kube.create(quotas, body)

    async def counted() -> None:
        if not (await kube.get(f"{quotas}/gpus"))["status"].get("used"):
            raise NotYet("nobody has counted the GPUs that are used")

    try:
        await eventually(counted, within_s=30)
        yield
    finally:
        await kube.delete(f"{quotas}/gpus", grace_s=0)
