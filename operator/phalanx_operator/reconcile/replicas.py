"""How many replicas a Deployment is written with. Pure.

The pool's own count is written when it changes. Between such changes the live count is kept, since somebody else may
own it: `kubectl scale deployment`, or an autoscaler that was aimed at the Deployment.
"""

from __future__ import annotations

import copy
from typing import Final

from phalanx_contract.runtime import GROUP
from phalanx_operator.api.types import Manifest, ServingPool

ANNOTATION_REPLICAS: Final = f"{GROUP}/replicas"
"""On the Deployment: the pool's own count that was written last."""


def with_replicas(deployment: Manifest, live: Manifest | None, pool: ServingPool) -> Manifest:
    """The Deployment to apply: the pool's count if it is new, else the live count within the pool's bounds."""
    wanted = copy.deepcopy(deployment)
    desired = pool.replicas.desired
    wanted["metadata"].setdefault("annotations", {})[ANNOTATION_REPLICAS] = str(desired)
    wanted["spec"]["replicas"] = desired if live is None else _count(live, pool)
    return wanted


def _count(live: Manifest, pool: ServingPool) -> int:
    written = (live["metadata"].get("annotations") or {}).get(ANNOTATION_REPLICAS)
    count = live["spec"].get("replicas")
    if written != str(pool.replicas.desired) or count is None:
        return pool.replicas.desired
    return min(max(int(count), pool.replicas.min), pool.replicas.max)
