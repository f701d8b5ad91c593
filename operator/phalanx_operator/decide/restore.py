"""Take up decisions where an earlier operator left them, from nothing but the status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phalanx_contract.plan import Artifact
from phalanx_operator.api.units import seconds_of
from phalanx_operator.decide.types import DecisionReason, ExitsState, Rejected, RolloutState, Stage, StudentsState


def restore_students(status: Mapping[str, Any], *, now: float) -> StudentsState:
    """The state that a status amounts to. When it last changed is not known, so the cool-down starts again."""
    shown = status.get("students") or {}
    lowered = bool(shown.get("lowered"))
    return StudentsState(
        digest=_digest(status),
        floor=shown.get("floor") or 1,
        ceiling=shown.get("ceiling"),
        lowered=lowered,
        changed_at=now if lowered else None,
    )


def restore_exits(status: Mapping[str, Any], *, now: float) -> ExitsState:
    """The thresholds that a status shows."""
    thresholds = tuple(float(value) for value in status.get("thresholds") or ())
    return ExitsState(digest=_digest(status), thresholds=thresholds, raised_at=now if thresholds else None)


def restore_rollout(status: Mapping[str, Any], *, planned: Artifact | None) -> RolloutState:
    """Which artifact serves, and which may take its place; `planned` is what the pool's plan has, None for nothing.

    A status that says nothing of it is one of an older release, or the plan was written and the status was not. One
    of a later release may say what this one has no word for.
    """
    shown = status.get("rollout") or {}
    serving = _artifact(shown.get("serving")) or planned
    if serving is None:
        return RolloutState()
    candidate = _artifact(shown.get("candidate"))
    stage = _stage(shown.get("stage") or Stage.SERVING, candidate)
    lost = candidate is None and stage in (Stage.WARMING, Stage.CANARY)
    return RolloutState(
        serving=serving,
        students=(shown.get("serving") or {}).get("students") or 0,
        candidate=candidate,
        stage=Stage.SERVING if lost else stage,
        since=seconds_of(shown.get("since") or "") or 0.0,
        rejected=_rejected(shown.get("rejected")),
        alone=tuple(shown.get("alone") or ()),
        counted_s=_counted_s(shown) if candidate is not None else None,
    )


def _counted_s(shown: Mapping[str, Any]) -> float | None:
    """Of a rollout that waits; an older release did not say how much, and began to count anew."""
    return float(shown.get("countedSeconds") or 0) if shown.get("waiting") else None


def _stage(shown: str, candidate: Artifact | None) -> Stage:
    """A stage without a name here begins anew."""
    if shown in list(Stage):
        return Stage(shown)
    return Stage.SERVING if candidate is None else Stage.WARMING


def _rejected(shown: Mapping[str, Any] | None) -> Rejected | None:
    artifact = _artifact(shown)
    if artifact is None or shown is None:
        return None
    reason = shown.get("reason")
    return Rejected(
        artifact=artifact,
        generation=shown.get("generation") or 0,
        reason=DecisionReason(reason) if reason in list(DecisionReason) else DecisionReason.CANDIDATE_FAILED,
        message=shown.get("message") or "",
    )


def _artifact(shown: Mapping[str, Any] | None) -> Artifact | None:
    return Artifact(uri=shown["uri"], digest=shown["digest"]) if shown else None


def _digest(status: Mapping[str, Any]) -> str:
    serving = (status.get("rollout") or {}).get("serving") or {}
    digest: str = serving.get("digest") or (status.get("artifact") or {}).get("wanted") or ""
    return digest
