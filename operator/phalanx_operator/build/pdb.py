"""The PodDisruptionBudget: node drains take the workers one after the other."""

from __future__ import annotations

from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child, selector


def disruption_budget(pool: ServingPool, *, api_version: str) -> Manifest:
    """`api_version` is policy/v1, or policy/v1beta1 before Kubernetes 1.21.

    The bound is on unavailable pods: a `minAvailable` of 1 would block every drain of a pool with one worker.
    """
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(pool)}}
    return child(pool, api_version=api_version, kind="PodDisruptionBudget", spec=spec)
