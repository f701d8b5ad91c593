"""The GPUs that the node says it has, and somebody who takes them."""

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
