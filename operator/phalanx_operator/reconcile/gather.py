"""Everything that a round reads of the cluster, read once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import is_distillers
from phalanx_operator.observe.store import Ref
from phalanx_operator.reconcile.ports import Cluster
from phalanx_operator.reconcile.relations import adapters_of, ensembles_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """One pool as it is: the objects that users wrote, what was built for it, its pods, its tenants' Secrets.

    `pods` are workers, `distillers` pods of distillation Jobs.
    """

    pool: Manifest
    ensembles: list[Manifest]
    adapters: list[Manifest]
    children: list[Manifest]
    pods: list[Manifest]
    distillers: list[Manifest]
    secrets: Mapping[str, Manifest]

    def child(self, kind: str, name: str) -> Manifest | None:
        """A child by name."""
        found = (obj for obj in self.children if obj["kind"] == kind and obj["metadata"]["name"] == name)
        return next(found, None)


async def gather(cluster: Cluster, key: Key) -> Gathered | None:
    """Read one pool; None if it does not exist or is being deleted. Raises ClusterError."""
    pool = cluster.store.get(Ref("ServingPool", key))
    if pool is None or "deletionTimestamp" in pool["metadata"]:
        return None
    ensembles = [obj for obj in ensembles_of(key, cluster.store) if "deletionTimestamp" not in obj["metadata"]]
    adapters = [obj for obj in adapters_of(ensembles, cluster.store) if "deletionTimestamp" not in obj["metadata"]]
    children, pods, secrets = await asyncio.gather(
        cluster.children(key),
        cluster.pods(key),
        cluster.secrets(key.namespace, _secret_names(adapters)),
    )
    return Gathered(
        pool=pool,
        ensembles=ensembles,
        adapters=adapters,
        children=children,
        pods=[pod for pod in pods if not is_distillers(pod)],
        distillers=[pod for pod in pods if is_distillers(pod)],
        secrets=secrets,
    )


def _secret_names(adapters: list[Manifest]) -> set[str]:
    """Names that may not be valid are not looked up."""
    references = ((obj.get("spec") or {}).get("apiKeySecret") for obj in adapters)
    names = (reference.get("name") for reference in references if isinstance(reference, dict))
    return {name for name in names if isinstance(name, str) and name and "/" not in name}
