"""Read the three kinds again from time to time.

A watch that was interrupted starts over with a list, and what was deleted meanwhile is in neither: without this its
pool would be served for ever.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from phalanx_contract.runtime import API_VERSION
from phalanx_operator.errors import ClusterError
from phalanx_operator.handlers.cluster import KubernetesCluster
from phalanx_operator.observe.store import ref_of, version_of
from phalanx_operator.reconcile.feed import Feed

logger = logging.getLogger(__name__)

EVERY_S: Final = 300.0
KINDS: Final = ("ServingPool", "StudentEnsemble", "TenantAdapter")


async def resync_forever(cluster: KubernetesCluster, feed: Feed, namespaces: tuple[str, ...]) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        for kind in KINDS:
            for namespace in namespaces or (None,):
                try:
                    await resync(cluster, feed, kind, namespace)
                except ClusterError as error:
                    logger.warning("%s could not be listed: %s", kind, error)


async def resync(cluster: KubernetesCluster, feed: Feed, kind: str, namespace: str | None) -> None:
    """Drop what is gone, take in what was missed. Raises ClusterError."""
    known = {ref_of(obj): version_of(obj) for obj in cluster.store.all_of(kind, namespace)}
    listed = {ref_of(obj): obj for obj in await cluster.read_all(API_VERSION, kind, namespace)}
    for ref in known.keys() - listed.keys():
        # Only what was known before the list was asked for: an object made since is no loss.
        logger.warning("%s is gone and its deletion was not seen", ref)
        feed.remove(ref)
    for ref, obj in listed.items():
        now = cluster.store.get(ref)
        if now is None or version_of(now) == known.get(ref) != version_of(obj):
            feed.put(obj)
            feed.mark(obj)
