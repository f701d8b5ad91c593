"""A small cluster in statuses, for tests and for the samples of docs/observability.md."""

from __future__ import annotations

from typing import Any

from phalanx_operator.describe.reading import Snapshot
from tests.operator.objects import adapter, ensemble, pool

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


def at(seconds_ago: int) -> str:
    minutes, seconds = divmod(3600 - seconds_ago, 60)
    return f"2025-12-31T23:{minutes:02}:{seconds:02}Z"


def condition(kind: str, status: str, reason: str, message: str, *, ago: int = 600) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(ago)}


def decision(action: str, reason: str, message: str, *, ago: int = 12) -> dict[str, Any]:
    return {"action": action, "reason": reason, "message": message, "time": at(ago)}


def with_status(obj: dict[str, Any], *conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {**obj["metadata"], "namespace": "ml"}
    shown = {"observedGeneration": 1, "conditions": list(conditions), **status}
    return {**obj, "metadata": metadata, "status": shown}


def busy_pool(**spec: Any) -> dict[str, Any]:
    """Three workers of which one cannot be scheduled; more would be needed."""
    return with_status(
        pool("gpus", **{"replicas": {"min": 1, "max": 8}, "objective": {"p99": "20ms"}, **spec}),
        condition("Ready", "True", "WorkersReady", "the workers serve the current plan"),
        condition("Accepted", "True", "Valid", "the spec is valid"),
        condition("Available", "True", "WorkersReady", "2 of 3 workers are ready"),
        condition("PlanServed", "True", "PlanCurrent", "all 2 ready workers serve the current plan"),
        condition("MetricsAvailable", "True", "MetricsFresh", "decisions rest on fresh metrics"),
        wanted=3,
        replicas=3,
        readyReplicas=2,
        decision=decision(
            "Stay",
            "ReplicasPending",
            "the load with all students is 4.1 workers' work, 3 run; 1 of them are not ready yet: "
            "gpus-7d9f8c6b5f-x2x9k: 0/4 nodes are available: 4 Insufficient nvidia.com/gpu.",
            ago=95,
        ),
    )


def cut_ensemble(**spec: Any) -> dict[str, Any]:
    """Load took two of four students."""
    base = {"students": {"min": 1}, "exits": {"mode": "Auto"}, "accuracy": {"loss": 0.01, "burstLoss": 0.03}}
    return with_status(
        ensemble("sentiment", **{**base, **spec}),
        condition("Ready", "True", "Serving", "all ready workers serve it as its spec says", ago=5400 % 3600),
        condition("Accepted", "True", "Valid", "the spec is valid"),
        condition("Loaded", "True", "Serving", "all 2 workers hold the artifact"),
        condition("PlanServed", "True", "PlanCurrent", "2 of 2 ready workers serve it as the plan has it"),
        students={"floor": 1, "ceiling": 2, "lowered": True, "available": 4},
        thresholds=[0.05, 0.0],
        workers={"ready": 2, "total": 3},
        decision=decision(
            "Lower", "Overloaded", "61200 tokens/s are 131% of the capacity with 4 students: from 4 down to 2 students"
        ),
        exitsDecision=decision("Stay", "WithinAccuracyBudget", "0.6% of 1% is spent", ago=320),
        rollout={"stage": "Serving", "since": at(1800), "serving": artifact("a", students=4)},
        rolloutDecision=decision(
            "Promote",
            "CanaryAgrees",
            "aaaaaaaaaaaa takes the place of bbbbbbbbbbbb: it agrees on 97.2% of 400 texts (90.0% needed), and takes "
            "1.04 times as long for the same requests (1.5 allowed)",
            ago=1800,
        ),
    )


def artifact(letter: str, **more: Any) -> dict[str, Any]:
    return {"uri": f"s3://models/{letter}", "digest": f"sha256:{letter * 64}", **more}


def rolled_back_ensemble() -> dict[str, Any]:
    """Its new artifact cannot be loaded; the one before serves."""
    message = (
        "cccccccccccc is not warm after 600 s: 0 of 2 workers hold it warm; spec.artifact.uri: grid.safetensors: "
        "was altered; upload the artifact again; aaaaaaaaaaaa goes on serving"
    )
    rejected = artifact("c", generation=2, reason="CandidateStuck", message=message)
    return with_status(
        ensemble("topics"),
        condition("Ready", "False", "NotLoaded", f"RolledBack: spec.artifact: {message}", ago=240),
        condition("Accepted", "True", "Valid", "the spec is valid"),
        condition("Loaded", "False", "RolledBack", f"spec.artifact: {message}", ago=240),
        students={"floor": 1, "available": 4},
        workers={"ready": 2, "total": 2},
        decision=decision("Stay", "AtCeiling", "all 4 students that are allowed may answer", ago=240),
        rollout={"stage": "RolledBack", "since": at(240), "serving": artifact("a", students=4), "rejected": rejected},
        rolloutDecision=decision("RollBack", "CandidateStuck", message, ago=240),
    )


def broken_ensemble() -> dict[str, Any]:
    message = "spec.artifact.digest: the folder has sha256:1c2f...; copy the digest that `phalanx inspect` prints"
    return with_status(
        ensemble("topics"),
        condition("Ready", "False", "NotLoaded", f"DigestMismatch: {message}", ago=240),
        condition("Accepted", "True", "Valid", "the spec is valid"),
        condition("Loaded", "False", "DigestMismatch", message, ago=240),
        students={"floor": 1},
        workers={"ready": 0, "total": 3},
        decision=decision("Hold", "ArtifactUnknown", "no worker reports the artifact yet", ago=240),
    )


def served_adapter(name: str) -> dict[str, Any]:
    return with_status(
        adapter(name),
        condition("Ready", "True", "Serving", "all ready workers serve it as its spec says"),
        workers={"ready": 2, "total": 3},
    )


def keyless_adapter() -> dict[str, Any]:
    message = "spec.apiKeySecret.name: there is no Secret globex-key with a key apiKey"
    return with_status(
        adapter("globex"),
        condition("Ready", "False", "NotAccepted", f"SecretNotFound: {message}", ago=70),
        condition("Accepted", "False", "SecretNotFound", message, ago=70),
    )


def seen(**changes: Any) -> Snapshot:
    """All of the above at once."""
    whole = {
        "pools": [busy_pool()],
        "ensembles": [cut_ensemble(), broken_ensemble()],
        "adapters": [served_adapter("acme"), keyless_adapter()],
        "now": NOW,
    }
    return Snapshot(**{**whole, **changes})


def recommending() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A pool that only recommends, and an ensemble for which it recommends less."""
    message = "recommended only, not applied: 61200 tokens/s are 131% of the capacity: from 4 down to 2 students"
    students = {"floor": 1, "ceiling": 4, "available": 4}
    obj = cut_ensemble()
    obj["status"] |= {"students": students, "decision": decision("Lower", "Overloaded", message)}
    return busy_pool(recommendOnly=True), [obj]
