"""Resources as users write them, each valid; tests change a field at a time."""

from __future__ import annotations

import copy
from typing import Any

DIGEST = "sha256:" + "a" * 64


def pool(name: str = "gpus", **spec: Any) -> dict[str, Any]:
    return _resource("ServingPool", name, spec)


def ensemble(name: str = "sentiment", **spec: Any) -> dict[str, Any]:
    base = {"pool": "gpus", "artifact": {"uri": "file:///models/sentiment", "digest": DIGEST}}
    return _resource("StudentEnsemble", name, base | spec)


def distilled(name: str = "tickets", *, distill: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    what = {"teacher": "pvc://models/teacher", "data": "pvc://models/rows.csv", "output": "pvc://models/out"}
    return _resource("StudentEnsemble", name, {"pool": "gpus", "distill": what | (distill or {})} | spec)


def adapter(name: str = "acme", **spec: Any) -> dict[str, Any]:
    base = {"ensemble": "sentiment", "artifact": {"uri": "file:///models/acme", "digest": DIGEST}}
    return _resource("TenantAdapter", name, base | spec)


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "phalanx.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": copy.deepcopy(spec),
    }
