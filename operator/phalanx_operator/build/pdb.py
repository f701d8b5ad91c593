"""The PodDisruptionBudget: node drains take the workers one after the other."""

from __future__ import annotations

from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child, selector


def disruption_budget(pool: ServingPool, *, api_version: str, unready_may_go: bool) -> Manifest:
    """`api_version` is policy/v1, or policy/v1beta1 before Kubernetes 1.21.

    The bound is on unavailable pods: a `minAvailable` of 1 would block every drain of a pool with one worker.

    `unready_may_go` says whether the cluster knows `unhealthyPodEvictionPolicy`. Without it two workers that run but
    are not ready, which serve nobody, would block every drain.
    """
    spec: Manifest = {"maxUnavailable": 1, "selector": {"matchLabels": selector(pool)}}
    if unready_may_go:
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    return child(pool, api_version=api_version, kind="PodDisruptionBudget", spec=spec)
