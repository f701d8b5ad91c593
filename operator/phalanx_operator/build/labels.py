"""Names and labels of a pool's children. Selectors use only what never changes in a pool's life."""

from __future__ import annotations

from typing import Any, Final

from phalanx_contract.runtime import API_VERSION, FIELD_MANAGER, GROUP
from phalanx_operator.api.types import Key, Manifest, ServingPool

LABEL_POOL: Final = f"{GROUP}/pool"
"""On every child: the name of its ServingPool."""
LABEL_DISTILLS_FOR: Final = f"{GROUP}/distills-for"
"""On a distillation's Job and pods: the ServingPool that its result is for."""
LABEL_MARK: Final = f"{GROUP}/distillation"
"""On them as well: what stands for the result (`api.identity.mark_of`)."""
COMPONENT: Final = "worker"


def selector(pool: ServingPool) -> dict[str, str]:
    """The labels by which Deployment, Service and PodDisruptionBudget find the workers: immutable."""
    return {"app.kubernetes.io/name": "phalanx-worker", "app.kubernetes.io/instance": pool.meta.key.name}


def pool_of(child: Manifest) -> Key | None:
    """The pool whose rounds an object concerns: that which it was made for, or which waits for its result."""
    meta = child["metadata"]
    labels = meta.get("labels") or {}
    name = labels.get(LABEL_POOL) or labels.get(LABEL_DISTILLS_FOR)
    return Key(meta.get("namespace") or "", name) if name else None


def is_distillers(obj: Manifest) -> bool:
    """Whether a pod or a Job distils, and is not of workers."""
    return LABEL_DISTILLS_FOR in (obj["metadata"].get("labels") or {})


def labels(pool: ServingPool) -> dict[str, str]:
    """What every child carries."""
    return selector(pool) | {
        "app.kubernetes.io/component": COMPONENT,
        "app.kubernetes.io/part-of": "phalanx",
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        LABEL_POOL: pool.meta.key.name,
    }


def selector_text(pool: ServingPool) -> str:
    """The selector as the scale subresource wants it."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector(pool).items()))


def plan_config_map_name(pool_name: str, index: int) -> str:
    """The ConfigMap that holds part `index` of the plan."""
    return f"{pool_name}-plan-{index}"


def child(pool: ServingPool, *, api_version: str, kind: str, name: str = "", **content: Any) -> Manifest:
    """An object that goes with its pool: same namespace, the labels, and the pool as its owner."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ServingPool",
        "name": pool.meta.key.name,
        "uid": pool.meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        "name": name or pool.meta.key.name,
        "namespace": pool.meta.key.namespace,
        "labels": labels(pool),
        "ownerReferences": [owner],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
