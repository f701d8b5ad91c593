"""A pool's Service as a node sees it: which workers may be sent requests, by the API server's own word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from phalanx_contract.runtime import HTTP_PORT
from tests.e2e.following import follow
from tests.e2e.kube import Kube, Object
from tests.e2e.scene import LABEL_POOL, is_ready


class Service:
    """The pods behind a pool's Service, by the rule of the endpoints controller: the ready ones that are not about to
    end. Endpoints themselves cannot have the loopback addresses of this node's pods.

    While the API server is down, what it said last holds, as in a kube-proxy. `ready` and `known` are addresses
    (`host:port`) by pod; `known` has those that are not ready, too.
    """

    def __init__(
        self, kube: Kube, namespace: str, pool: str, *, changed: Callable[[Mapping[str, str]], None] = lambda _: None
    ) -> None:
        """`changed` gets `known` whenever something was told: a Prometheus finds its targets so."""
        self._kube, self._changed = kube, changed
        self._path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={LABEL_POOL}%3D{pool}"
        self.ready: dict[str, str] = {}
        self.known: dict[str, str] = {}

    async def look(self) -> None:
        """Once."""
        self._take(await self._kube.items(self._path))

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[Service]:
        """Kept current until the end of the block."""
        following = asyncio.create_task(self.follow())
        try:
            yield self
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def follow(self) -> None:
        """Until cancelled."""
        await follow(self._kube, self._path, self._take)

    def _take(self, pods: Iterable[Object]) -> None:
        running = [pod for pod in pods if pod["status"].get("podIP") and "deletionTimestamp" not in pod["metadata"]]
        addresses = {pod["metadata"]["name"]: f"{pod['status']['podIP']}:{HTTP_PORT}" for pod in running}
        self.ready = {pod["metadata"]["name"]: addresses[pod["metadata"]["name"]] for pod in running if is_ready(pod)}
        self.known = addresses
        self._changed(addresses)
