"""Read the three kinds again from time to time.

A watch that was interrupted starts over with a list, and what was deleted meanwhile is in neither: without this its
pool would be served for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from phalanx_contract.runtime import API_VERSION
from phalanx_operator.errors import ClusterError
from phalanx_operator.handlers.cluster import KubernetesCluster
from phalanx_operator.handlers.pulse import Pulse
from phalanx_operator.observe.store import ref_of, version_of
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.feed import Feed
from phalanx_operator.reconcile.ports import Clock

logger = logging.getLogger(__name__)

EVERY_S: Final = 300.0
RETRY: Final = Backoff(initial_s=0.5, max_s=5.0)
KINDS: Final = ("ServingPool", "StudentEnsemble", "TenantAdapter")


async def resync_forever(
    cluster: KubernetesCluster, feed: Feed, namespaces: tuple[str, ...], pulse: Pulse, clock: Clock = time.monotonic
) -> None:
    """Until cancelled; what no watch told of is told to `pulse`."""
    while True:
        await asyncio.sleep(EVERY_S)
        for kind in KINDS:
            for namespace in namespaces or (None,):
                try:
                    pulse.missed(kind, changes=await resync(cluster, feed, kind, namespace), now=clock())
                except ClusterError as error:
                    logger.warning("%s could not be listed: %s", kind, error)


async def catch_up(cluster: KubernetesCluster, feed: Feed, namespaces: tuple[str, ...]) -> None:
    """Read all of it, as often as it takes: a term must not begin with less than the one before it knew."""
    backoff = RETRY
    while True:
        try:
            for kind in KINDS:
                for namespace in namespaces or (None,):
                    await resync(cluster, feed, kind, namespace)
        except ClusterError as error:
            backoff = backoff.failed()
            logger.warning("the resources could not be read: %s; next try in %g s", error, backoff.delay_s)
            await asyncio.sleep(backoff.delay_s)
        else:
            return


async def resync(cluster: KubernetesCluster, feed: Feed, kind: str, namespace: str | None) -> int:
    """Drop what is gone, take in what was missed; returns how much that was. Raises ClusterError."""
    known = {ref_of(obj): version_of(obj) for obj in cluster.store.all_of(kind, namespace)}
    listed = {ref_of(obj): obj for obj in await cluster.read_all(API_VERSION, kind, namespace)}
    gone = known.keys() - listed.keys()
    for ref in gone:
        # Only what was known before the list was asked for: an object made since is no loss.
        logger.warning("%s is gone and its deletion was not seen", ref)
        feed.remove(ref)
    missed = 0
    for ref, obj in listed.items():
        now = cluster.store.get(ref)
        if now is None or version_of(now) == known.get(ref) != version_of(obj):
            missed += 1
            feed.put(obj)
            feed.mark(obj)
    return missed + len(gone)
