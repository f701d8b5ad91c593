"""Dictionaries of the Kubernetes API -> typed specs, or everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phalanx_contract.plan import Artifact
from phalanx_operator.api import convert
from phalanx_operator.api.check import find_issues, with_defaults
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.types import (
    Accuracy,
    Autoscaling,
    Exits,
    ExitsMode,
    Key,
    Meta,
    ServingPool,
    StudentEnsemble,
    Students,
    TenantAdapter,
)
from phalanx_operator.api.units import parse_duration


def parse_meta(obj: Mapping[str, Any]) -> Meta:
    """What identifies an object; works on any object that came from an API server, valid or not."""
    meta = obj.get("metadata") or {}
    return Meta(
        key=Key(meta.get("namespace") or "default", meta.get("name") or ""),
        uid=meta.get("uid") or "",
        generation=meta.get("generation") or 0,
        created=meta.get("creationTimestamp") or "",
        labels=dict(meta.get("labels") or {}),
        deleting="deletionTimestamp" in meta,
    )


def parse_pool(obj: Mapping[str, Any]) -> ServingPool:
    """Read a ServingPool.

    Raises:
        SpecError: with every fault that was found.
    """
    spec = _checked("ServingPool", obj)
    return ServingPool(
        meta=parse_meta(obj),
        worker=convert.worker(spec["worker"]),
        replicas=convert.replicas(spec["replicas"]),
        autoscaling=Autoscaling(spec["autoscaling"]),
        objective_p99_s=parse_duration(spec["objective"]["p99"]),
        rollout=convert.rollout(spec["rollout"]),
        metrics=convert.metrics(spec["metrics"]),
        adapter_cache=convert.adapter_cache(spec["adapters"]),
        claims=tuple(spec["artifacts"].get("claims", ())),
        allow=convert.allow(spec["artifacts"]),
        cache_bytes=convert.cache_bytes(spec["artifacts"]),
        network=convert.network(spec["networkPolicy"]),
        distillation=spec["distillation"] == "Allowed",
        paused=spec["paused"],
        recommend_only=spec["recommendOnly"],
    )


def parse_ensemble(obj: Mapping[str, Any]) -> StudentEnsemble:
    """Read a StudentEnsemble.

    Raises:
        SpecError: with every fault that was found.
    """
    spec = _checked("StudentEnsemble", obj)
    exits, accuracy = spec["exits"], spec["accuracy"]
    return StudentEnsemble(
        meta=parse_meta(obj),
        pool=spec["pool"],
        source=Artifact(**spec["artifact"]) if "artifact" in spec else convert.distill(spec["distill"]),
        students=Students(min=spec["students"]["min"], max=spec["students"].get("max")),
        exits=Exits(mode=ExitsMode(exits["mode"]), thresholds=tuple(map(float, exits.get("thresholds", ())))),
        accuracy=Accuracy(loss=float(accuracy["loss"]), burst_loss=float(accuracy["burstLoss"])),
        rollout=convert.artifact_rollout(spec["rollout"]),
    )


def parse_adapter(obj: Mapping[str, Any]) -> TenantAdapter:
    """Read a TenantAdapter.

    Raises:
        SpecError: with every fault that was found.
    """
    spec = _checked("TenantAdapter", obj)
    rate = spec.get("rateLimit", {}).get("tokensPerSecond")
    return TenantAdapter(
        meta=parse_meta(obj),
        ensemble=spec["ensemble"],
        artifact=Artifact(**spec["artifact"]),
        weight=spec["weight"],
        rate_tokens_per_s=None if rate is None else float(rate),
        api_key_secret=spec.get("apiKeySecret", {}).get("name"),
    )


def _checked(kind: str, obj: Mapping[str, Any]) -> dict[str, Any]:
    filled = with_defaults(kind, obj)
    issues = find_issues(kind, filled)
    if issues:
        raise SpecError(issues)
    spec: dict[str, Any] = filled["spec"]
    return spec
