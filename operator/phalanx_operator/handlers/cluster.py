"""The Kubernetes API as the cluster of `reconcile.ports`."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from phalanx_contract.runtime import FIELD_MANAGER
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.apply import objects, status
from phalanx_operator.apply.api import ApiError, KubeApi
from phalanx_operator.apply.events import Recorder
from phalanx_operator.apply.paths import collection, item
from phalanx_operator.build.labels import pool_of
from phalanx_operator.handlers.references import ReferenceCache
from phalanx_operator.observe.store import Ref, Store, lean, owned_by, ref_of
from phalanx_operator.reconcile.ports import Note

SELECTOR: Final = f"app.kubernetes.io/managed-by={FIELD_MANAGER}"
"""The server filters: the operator must not receive every pod of the cluster."""

PAGE: Final = 500
"""Objects that a list holds at a time, here and in Kopf."""


@dataclass(frozen=True, slots=True)
class Made:
    """A kind of what is made for pools. `group` and `version` as in the API's paths."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """As manifests have it."""
        return f"{self.group}/{self.version}" if self.group else self.version


POD: Final = Made("", "v1", "Pod", "pods")
JOB: Final = Made("batch", "v1", "Job", "jobs")


def made_kinds(policy_api: str) -> tuple[Made, ...]:
    """All of them; `policy_api` is what the server has for PodDisruptionBudgets."""
    return (
        Made("", "v1", "ServiceAccount", "serviceaccounts"),
        Made("", "v1", "ConfigMap", "configmaps"),
        Made("", "v1", "Service", "services"),
        Made("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        Made("apps", "v1", "Deployment", "deployments"),
        JOB,
        Made("policy", policy_api.rpartition("/")[2], "PodDisruptionBudget", "poddisruptionbudgets"),
        POD,
    )


class KubernetesCluster:
    """`store` has the three kinds, `made` what was made for pools, and their pods; Kopf's watches fill both.

    What a round writes is in them at once, before the watch tells of it. A quiet pool costs no request.
    """

    def __init__(self, api: KubeApi, *, policy_api: str, store: Store | None = None) -> None:
        self._api = api
        self.kinds = made_kinds(policy_api)
        self._events = Recorder(api)
        self._secrets = self._references("Secret")
        self._config_maps = self._references("ConfigMap")
        self.store = store or Store()
        self.made = Store(owner=pool_of)

    def __repr__(self) -> str:
        return f"<KubernetesCluster {self._api} {self.store}>"

    async def read_all(self, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Manifest]:
        """All objects of a kind, as stores keep them, read in pages: a list of all is many times as large.

        The server leaves `kind` and `apiVersion` out of a list's items. Raises ApiError.
        """
        path, query, found = collection(api_version, kind, namespace), query | {"limit": str(PAGE)}, list[Manifest]()
        while True:
            page = await self._api.get(path, **query)
            found += (lean({**entry, "apiVersion": api_version, "kind": kind}) for entry in page["items"])
            rest = page["metadata"].get("continue")
            if not rest:
                return found
            query["continue"] = rest

    async def children(self, pool: Key) -> list[Manifest]:
        """Those of the pool that exists now, with its ensembles' Jobs; leftovers of an older one of its name are the
        garbage collector's."""
        kinds = [made.kind for made in self.kinds if made not in (POD, JOB)]
        found = [child for kind in kinds for child in self.made.belonging_to(kind, pool)]
        owner = self.store.get(_pool_ref(pool))
        owned = [] if owner is None else owned_by(found, owner["metadata"]["uid"])
        return [*owned, *self.made.belonging_to(JOB.kind, pool)]

    async def jobs(self) -> list[Manifest]:
        """From the store."""
        return self.made.all_of(JOB.kind)

    async def pods(self, pool: Key) -> list[Manifest]:
        """Its workers, and the pods that distil for it."""
        return self.made.belonging_to(POD.kind, pool)

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
        self.made.put(await objects.apply(self._api, manifest))

    async def delete(self, obj: Manifest) -> None:
        """Delete by uid."""
        if await objects.delete(self._api, obj):
            self.made.remove(ref_of(obj))

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
