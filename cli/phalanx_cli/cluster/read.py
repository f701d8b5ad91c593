"""Read the three kinds and the workers' pods."""

from __future__ import annotations

import time
from typing import Final

from phalanx_cli.cluster.access import Place
from phalanx_contract.runtime import API_VERSION, FIELD_MANAGER
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.apply.api import KubeApi
from phalanx_operator.apply.paths import collection, item
from phalanx_operator.describe.draining import Worker, worker_of
from phalanx_operator.describe.reading import Snapshot

PAGE: Final = 500
"""Objects in one answer, as kubectl asks for them."""
_WORKERS: Final = f"app.kubernetes.io/managed-by={FIELD_MANAGER},phalanx.dev/pool"


async def snapshot(place: Place) -> Snapshot:
    """All three kinds. Raises ApiError."""
    kinds = ("ServingPool", "StudentEnsemble", "TenantAdapter")
    pools, ensembles, adapters = [await read_all(place.api, API_VERSION, kind, place.namespace) for kind in kinds]
    return Snapshot(pools=pools, ensembles=ensembles, adapters=adapters, now=time.time())


async def read(api: KubeApi, kind: str, key: Key) -> Manifest:
    """One of the three kinds. Raises ApiError."""
    return await api.get(item(API_VERSION, kind, key.namespace, key.name))


async def workers(api: KubeApi, namespace: str | None) -> list[Worker]:
    """The pods of all pools that have not ended. Raises ApiError."""
    pods = await read_all(api, "v1", "Pod", namespace, labelSelector=_WORKERS)
    running = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    return [worker_of(pod) for pod in running]


async def read_all(api: KubeApi, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Manifest]:
    """All objects of a kind, page by page. Raises ApiError."""
    found: list[Manifest] = []
    more = ""
    while True:
        again = {"continue": more} if more else {}
        page = await api.get(collection(api_version, kind, namespace), limit=str(PAGE), **again, **query)
        found += [{**entry, "apiVersion": api_version, "kind": kind} for entry in page["items"]]
        more = (page.get("metadata") or {}).get("continue") or ""
        if not more:
            return found
