"""The Deployment of a pool's workers."""

from __future__ import annotations

from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child, selector
from phalanx_operator.build.pod import pod_template


def deployment(pool: ServingPool, *, default_image: str, replicas: int | None) -> Manifest:
    """The same for every plan. With `replicas` None the field is left out, for whoever owns the scale to keep."""
    spec: Manifest = {
        "selector": {"matchLabels": selector(pool)},
        "template": pod_template(pool, default_image=default_image),
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {
                "maxSurge": pool.rollout.max_surge,
                "maxUnavailable": pool.rollout.max_unavailable,
            },
        },
        "revisionHistoryLimit": 3,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return child(pool, api_version="apps/v1", kind="Deployment", spec=spec)
