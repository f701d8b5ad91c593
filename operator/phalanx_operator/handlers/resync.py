"""Read everything again from time to time.

A watch that was interrupted starts over with a list, and what was deleted meanwhile is in neither: without this a pool
would be served for ever, and a child of it never be made again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

from phalanx_contract.runtime import API_VERSION
from phalanx_operator.build.labels import pool_of
from phalanx_operator.errors import ClusterError
from phalanx_operator.handlers.cluster import SELECTOR, KubernetesCluster, Made
from phalanx_operator.handlers.pulse import Pulse
from phalanx_operator.logs import about
from phalanx_operator.observe.store import ref_of, version_of
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.feed import Feed, Mark
from phalanx_operator.reconcile.ports import Clock

logger = logging.getLogger(__name__)

EVERY_S: Final = 300.0
RETRY: Final = Backoff(initial_s=0.5, max_s=5.0)
KINDS: Final = ("ServingPool", "StudentEnsemble", "TenantAdapter")


async def resync_forever(
    cluster: KubernetesCluster,
    feed: Feed,
    mark: Mark,
    namespaces: tuple[str, ...],
    pulse: Pulse,
    clock: Clock = time.monotonic,
) -> None:
    """Until cancelled; what no watch told of is told to `pulse`."""
    while True:
        await asyncio.sleep(EVERY_S)
        for kind, read in _readings(cluster, feed, mark, namespaces):
            try:
                pulse.missed(kind, changes=await read(), now=clock())
            except ClusterError as error:
                logger.warning("%s could not be listed: %s", kind, error)


async def catch_up(cluster: KubernetesCluster, feed: Feed, mark: Mark, namespaces: tuple[str, ...]) -> None:
    """Read all of it, as often as it takes: a term must not begin with less than the one before it knew."""
    backoff = RETRY
    while True:
        try:
            for _, read in _readings(cluster, feed, mark, namespaces):
                await read()
        except ClusterError as error:
            backoff = backoff.failed()
            logger.warning("the resources could not be read: %s; next try in %g s", error, backoff.delay_s)
            await asyncio.sleep(backoff.delay_s)
        else:
            return


def _readings(
    cluster: KubernetesCluster, feed: Feed, mark: Mark, namespaces: tuple[str, ...]
) -> Iterator[tuple[str, Callable[[], Awaitable[int]]]]:
    """Each kind with a way to read it again: what is made for pools last, for the pools to be known by then."""
    for namespace in namespaces or (None,):
        for kind in KINDS:
            yield kind, partial(resync, cluster, feed, kind, namespace)
        for made in cluster.kinds:
            yield made.kind, partial(resync_made, cluster, made, mark, namespace)


async def resync_made(cluster: KubernetesCluster, kind: Made, mark: Mark, namespace: str | None) -> int:
    """As `resync`, for a kind of what is made for pools: their pools are marked. Raises ClusterError."""
    known = {ref_of(obj): version_of(obj) for obj in cluster.made.all_of(kind.kind, namespace)}
    found = await cluster.read_all(kind.api_version, kind.kind, namespace, labelSelector=SELECTOR)
    listed = {ref_of(obj): obj for obj in found}
    changed = [obj for ref in known.keys() - listed.keys() if (obj := cluster.made.remove(ref)) is not None]
    for ref, obj in listed.items():
        now = cluster.made.get(ref)
        if now is None or version_of(now) == known.get(ref) != version_of(obj):
            cluster.made.put(obj)
            changed.append(obj)
    for key in {pool_of(obj) for obj in changed}:
        if key is not None:
            mark(key)
    return len(changed)


async def resync(cluster: KubernetesCluster, feed: Feed, kind: str, namespace: str | None) -> int:
    """Drop what is gone, take in what was missed; returns how much that was. Raises ClusterError."""
    known = {ref_of(obj): version_of(obj) for obj in cluster.store.all_of(kind, namespace)}
    listed = {ref_of(obj): obj for obj in await cluster.read_all(API_VERSION, kind, namespace)}
    gone = known.keys() - listed.keys()
    for ref in gone:
        # Only what was known before the list was asked for: an object made since is no loss.
        logger.warning("%s is gone and its deletion was not seen", ref, extra=about(ref))
        feed.remove(ref)
    missed = 0
    for ref, obj in listed.items():
        now = cluster.store.get(ref)
        if now is None or version_of(now) == known.get(ref) != version_of(obj):
            missed += 1
            feed.put(obj)
            feed.mark(obj)
    return missed + len(gone)
