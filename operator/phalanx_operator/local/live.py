"""What `phalanx up` shows of a pool: numbers of the last seconds, from the workers' own metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from phalanx_operator.api.types import Manifest
from phalanx_operator.local.workload import Workload
from phalanx_operator.observe import signals
from phalanx_operator.observe.quantile import quantile
from phalanx_operator.observe.signals import Signal, Spans, Vector

SHOWN: Final = (signals.REQUESTS, signals.LATENCY, signals.QUEUE, signals.SHED, signals.STUDENTS)
SPANS: Final = Spans(load_s=10.0)
"""Long enough for a p99 that does not jump about, short enough to watch a burst."""

Vectors = Mapping[str, Vector]
View = dict[str, Any]
"""JSON of the state file; `phalanx top` and scripts read it."""


def load_of(name: str, vectors: Vectors, *, workers: int) -> View:
    """One ensemble's load: texts a second, seconds, tokens; None is unknown. Pure."""
    key = (("ensemble", name),)

    def value(signal: Signal) -> float | None:
        return vectors.get(signal.name, {}).get(key)

    buckets = {
        float(labelled["le"]): count
        for labels, count in vectors.get(signals.LATENCY.name, {}).items()
        if (labelled := dict(labels)).get("ensemble") == name and "le" in labelled
    }
    students = value(signals.STUDENTS)
    return {
        "texts_per_s": value(signals.REQUESTS),
        "p50_s": quantile(0.5, buckets),
        "p99_s": quantile(0.99, buckets),
        "queue_tokens": value(signals.QUEUE),
        "shed_per_s": value(signals.SHED),
        "students_used": None if students is None or not workers else students / workers,
    }


def ensemble_view(obj: Manifest, vectors: Vectors, *, workers: int) -> View:
    """One StudentEnsemble with its load. Pure."""
    status = obj.get("status") or {}
    return {
        "name": obj["metadata"]["name"],
        "pool": obj["spec"]["pool"],
        "students": status.get("students") or {},
        "thresholds": status.get("thresholds") or [],
        "decision": status.get("decision") or {},
        "exits_decision": status.get("exitsDecision") or {},
        "workers": status.get("workers") or {},
        "conditions": conditions(status),
        **load_of(obj["metadata"]["name"], vectors, workers=workers),
    }


def adapter_view(obj: Manifest) -> View:
    """One TenantAdapter. Pure."""
    name, ensemble = obj["metadata"]["name"], obj["spec"]["ensemble"]
    return {"name": name, "ensemble": ensemble, "conditions": conditions(obj.get("status") or {})}


def pool_view(obj: Manifest, workload: Workload | None, *, url: str) -> View:
    """One ServingPool with its processes."""
    status = obj.get("status") or {}
    return {
        "name": obj["metadata"]["name"],
        "url": url,
        "replicas": status.get("replicas", 0),
        "ready_replicas": status.get("readyReplicas", 0),
        "plan": (status.get("plan") or {}).get("hash", ""),
        "conditions": conditions(status),
        "pods": [
            {
                "name": pod.name,
                "url": f"http://{pod.address}",
                "pid": pod.status.pid,
                "ready": pod.status.ready,
                "restarts": pod.status.restarts,
                "message": pod.status.waiting or pod.status.message,
                "log": str(pod.log),
            }
            for pod in (workload.running if workload else [])
        ],
    }


def conditions(status: Manifest) -> dict[str, View]:
    """Conditions by type, without their times. Pure."""
    return {
        each["type"]: {"status": each["status"], "reason": each["reason"], "message": each["message"]}
        for each in status.get("conditions") or []
    }


def is_ready(view: View) -> bool:
    """Whether a view's condition Ready is True. Pure."""
    ready: View = view["conditions"].get("Ready", {})
    return ready.get("status") == "True"


def all_ready(views: Sequence[View]) -> bool:
    """Whether all of them are. Pure."""
    return all(map(is_ready, views))
