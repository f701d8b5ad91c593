"""The Kubernetes API as the cluster of `reconcile.ports`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping

from phalanx_contract.runtime import FIELD_MANAGER
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.apply import objects, status
from phalanx_operator.apply.api import ApiError, KubeApi
from phalanx_operator.apply.events import Recorder
from phalanx_operator.apply.paths import collection, item
from phalanx_operator.build.labels import LABEL_POOL
from phalanx_operator.handlers.references import ReferenceCache
from phalanx_operator.observe.store import Ref, Store, owned_by, ref_of
from phalanx_operator.reconcile.ports import Note


class KubernetesCluster:
    """Children and pods are listed with a label selector in each round, so a round never acts on an old view.

    The store of the three kinds is filled by Kopf's watches.
    """

    def __init__(self, api: KubeApi, *, policy_api: str, store: Store | None = None) -> None:
        self._api = api
        self._children = (
            ("v1", "ServiceAccount"),
            ("v1", "ConfigMap"),
            ("v1", "Service"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("apps/v1", "Deployment"),
            (policy_api, "PodDisruptionBudget"),
        )
        self._events = Recorder(api)
        self._secrets = self._references("Secret")
        self._config_maps = self._references("ConfigMap")
        self.store = store or Store()

    def __repr__(self) -> str:
        return f"<KubernetesCluster {self._api} {self.store}>"

    async def read_all(self, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Manifest]:
        """All objects of a kind. The server leaves `kind` and `apiVersion` out of a list's items."""
        found = await self._api.get(collection(api_version, kind, namespace), **query)
        return [{**entry, "apiVersion": api_version, "kind": kind} for entry in found["items"]]

    async def children(self, pool: Key) -> list[Manifest]:
        """Those of the pool that exists now; leftovers of an older one of its name are the garbage collector's."""
        listed = await asyncio.gather(*(self._of_pool(api_version, kind, pool) for api_version, kind in self._children))
        found = [child for children in listed for child in children]
        owner = self.store.get(_pool_ref(pool))
        return [] if owner is None else owned_by(found, owner["metadata"]["uid"])

    async def pods(self, pool: Key) -> list[Manifest]:
        """The pods that carry the pool's labels."""
        return await self._of_pool("v1", "Pod", pool)

    async def secrets(self, namespace: str, names: Collection[str], *, fresh: bool = False) -> Mapping[str, Manifest]:
        """From the cache, or read one by one: the operator may get Secrets but not list them."""
        return await self._secrets.get(namespace, names, fresh=fresh)

    async def config_maps(
        self, namespace: str, names: Collection[str], *, fresh: bool = False
    ) -> Mapping[str, Manifest]:
        """From the cache, or read one by one."""
        return await self._config_maps.get(namespace, names, fresh=fresh)

    async def apply(self, manifest: Manifest) -> None:
        """Server-side apply."""
        await objects.apply(self._api, manifest)

    async def delete(self, obj: Manifest) -> None:
        """Delete by uid."""
        await objects.delete(self._api, obj)

    async def touch_plan(self, pod: Key, plan_hash: str) -> None:
        """Annotate the pod."""
        await objects.touch_plan(self._api, pod, plan_hash)

    async def write_status(self, obj: Manifest, new: Manifest) -> None:
        """Patch the status subresource; the store shows the new status at once, before the watch does."""
        await status.write_status(self._api, obj, new)
        if self.store.get(ref_of(obj)) is obj:
            self.store.put({**obj, "status": new})

    async def record(self, obj: Manifest, note: Note) -> None:
        """Post an event, or count up the one that says the same."""
        await self._events.record(
            obj, reason=note.reason, note=note.text, action=note.action, warning=note.warning, now=time.time()
        )

    async def _of_pool(self, api_version: str, kind: str, pool: Key) -> list[Manifest]:
        selector = f"{LABEL_POOL}={pool.name},app.kubernetes.io/managed-by={FIELD_MANAGER}"
        return await self.read_all(api_version, kind, pool.namespace, labelSelector=selector)

    def _references(self, kind: str) -> ReferenceCache:
        async def fetch(key: Key) -> Manifest | None:
            try:
                return await self._api.get(item("v1", kind, key.namespace, key.name))
            except ApiError as error:
                if error.gone:
                    return None
                raise

        return ReferenceCache(fetch, clock=time.monotonic)


def _pool_ref(key: Key) -> Ref:
    return Ref("ServingPool", key)
