"""Make the children what they should be: write those that changed, remove those that are left over."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Final

from phalanx_contract.plan import PlanHash
from phalanx_contract.runtime import ANNOTATION_PLAN
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.decide.types import WorkerView
from phalanx_operator.errors import ClusterError
from phalanx_operator.logs import about
from phalanx_operator.observe.store import Ref, ref_of, version_of
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.drift import contains
from phalanx_operator.reconcile.gather import Gathered
from phalanx_operator.reconcile.memory import Applied, PoolMemory, Refusal
from phalanx_operator.reconcile.ports import Cluster

logger = logging.getLogger(__name__)

REPEAT_S: Final = 60.0
"""How soon the same content is written again because the live object differs. A server that rewrites a value
(`1000m` as `1`) differs for ever; that costs one request in this time."""
REFUSED: Final = Backoff(initial_s=1.0, max_s=REPEAT_S)
"""How soon what was refused is tried again though neither it nor the live object changed."""
_PLAN_PART = re.compile(r"-plan-\d+$")


async def write_children(
    cluster: Cluster, gathered: Gathered, wanted: Sequence[Manifest], memory: PoolMemory, *, now: float
) -> None:
    """Apply in order, then delete what is no longer wanted.

    All of them are tried. What the cluster refuses is kept in `memory.refused`, for a condition to tell, and is tried
    again when something changes or after a while. Raises the first other ClusterError.
    """
    live = {ref_of(child): child for child in gathered.children}
    failures = []
    memory.refused = {ref: memory.refused[ref] for ref in map(ref_of, wanted) if ref in memory.refused}
    for manifest in wanted:
        ref = ref_of(manifest)
        refusal = _still(memory.refused.pop(ref, None), manifest, live.get(ref))
        if refusal is not None and refusal.due_s(now=now) > 0:
            memory.refused[ref] = refusal
            continue
        if memory.applied.get(ref) is None and contains(live.get(ref), manifest):
            # Written before this operator began, from the same and nothing more: the hash is part of the manifest.
            memory.applied[ref] = Applied(manifest, now)
        if not _is_due(manifest, live.get(ref), memory.applied.get(ref), now):
            continue
        try:
            await cluster.apply(manifest)
            memory.applied[ref] = Applied(manifest, now)
            logger.info("pool %s: applied %s", ref_of(gathered.pool).key, ref, extra=about(ref_of(gathered.pool)))
        except ClusterError as error:
            if error.refused:
                backoff = (refusal.backoff if refusal is not None else REFUSED).failed()
                memory.refused[ref] = Refusal(manifest, version_of(live.get(ref)), now, str(error), backoff)
            else:
                failures.append(error)
    failures += await _delete_surplus(cluster, live, {ref_of(manifest) for manifest in wanted})
    if failures:
        raise failures[0]


def _still(before: Refusal | None, manifest: Manifest, live: Manifest | None) -> Refusal | None:
    """The refusal, if it was of the same, and of the same live object."""
    same = before is not None and before.manifest == manifest and before.live == version_of(live)
    return before if same else None


def _is_due(manifest: Manifest, live: Manifest | None, before: Applied | None, now: float) -> bool:
    if live is None or before is None or before.manifest != manifest:
        return True
    if version_of(live) and version_of(live) == before.right:
        return False
    if contains(live, manifest):
        before.right = version_of(live)
        return False
    return now - before.at >= REPEAT_S


async def delete_all(cluster: Cluster, objects: Sequence[Manifest]) -> None:
    """Delete all of them; raises the first ClusterError."""
    failures = []
    for obj in objects:
        try:
            await cluster.delete(obj)
            logger.info("deleted %s", ref_of(obj), extra=about(ref_of(obj)))
        except ClusterError as error:
            failures.append(error)
    if failures:
        raise failures[0]


async def _delete_surplus(cluster: Cluster, live: dict[Ref, Manifest], wanted: set[Ref]) -> list[ClusterError]:
    failures = []
    for ref in live.keys() - wanted:
        if _is_ours_to_delete(ref):
            try:
                await cluster.delete(live[ref])
            except ClusterError as error:
                failures.append(error)
    return failures


def _is_ours_to_delete(ref: Ref) -> bool:
    """Parts of a longer plan, and the network policy of a pool that had one. Nothing else is ever unwanted."""
    return ref.kind == "NetworkPolicy" or (ref.kind == "ConfigMap" and _PLAN_PART.search(ref.key.name) is not None)


async def touch_pods(
    cluster: Cluster, pods: Sequence[Manifest], views: Sequence[WorkerView], plan_hash: PlanHash
) -> None:
    """Annotate pods that do not serve the plan yet, so that their kubelets look at once. Failures are logged:
    the kubelet looks by itself within a minute."""
    serving = {view.name for view in views if view.report is not None and view.report.plan == plan_hash}
    keys = [
        Key(pod["metadata"]["namespace"], pod["metadata"]["name"])
        for pod in pods
        if pod["metadata"]["name"] not in serving
        and pod.get("status", {}).get("phase") == "Running"
        and (pod["metadata"].get("annotations") or {}).get(ANNOTATION_PLAN) != plan_hash
    ]
    results = await asyncio.gather(*(cluster.touch_plan(key, plan_hash) for key in keys), return_exceptions=True)
    for key, result in zip(keys, results, strict=True):
        if isinstance(result, ClusterError):
            logger.warning("pod %s: %s", key, result, extra=about(pod=key))
        elif isinstance(result, BaseException):
            raise result
