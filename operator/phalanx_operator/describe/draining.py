"""Which workers to take away, in which order, and how far that has come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import LABEL_POOL


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker's pod."""

    key: Key
    uid: str
    pool: str
    node: str
    ready: bool
    leaving: bool
    grace_s: int

    @property
    def pool_key(self) -> Key:
        """Its pool."""
        return Key(self.key.namespace, self.pool)


def worker_of(pod: Manifest) -> Worker:
    """A pod as the API has it."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return Worker(
        key=Key(meta["namespace"], meta["name"]),
        uid=meta.get("uid", ""),
        pool=(meta.get("labels") or {}).get(LABEL_POOL, ""),
        node=spec.get("nodeName", ""),
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
        leaving="deletionTimestamp" in meta,
        grace_s=spec.get("terminationGracePeriodSeconds", 30),
    )


def on_node(workers: Iterable[Worker], node: str) -> list[Worker]:
    """The workers of a node that are to go: those that do not serve first, since nobody misses them."""
    found = [each for each in workers if each.node == node and not each.leaving]
    return sorted(found, key=lambda each: (each.ready, str(each.key)))


def missing(workers: Sequence[Worker], pool: Key, wanted: int) -> int:
    """Workers that a pool lacks of those it wants."""
    ready = sum(each.ready and not each.leaving for each in workers if each.pool_key == pool)
    return max(0, wanted - ready)


def eviction(worker: Worker, *, api_version: str) -> Manifest:
    """The request that respects the PodDisruptionBudget; of this very pod, not of one that took its name."""
    return {
        "apiVersion": api_version,
        "kind": "Eviction",
        "metadata": {"name": worker.key.name, "namespace": worker.key.namespace},
        "deleteOptions": {"preconditions": {"uid": worker.uid}},
    }
