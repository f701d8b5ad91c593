"""Take up decisions where an earlier operator left them, from nothing but the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from phalanx_contract.plan import Artifact, Ensemble
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


def restore_rollout(status: Mapping[str, Any], *, planned: Ensemble | None) -> RolloutState:
    """Which artifact serves, and which may take its place; `planned` is what the pool's plan has, None for nothing.

    The plan is written before the status, so where they differ it is what was decided last, and an operator died before
    it could say so. A status that says nothing of it may be one of an older release; one of a later release may say
    what this one has no word for.
    """
    told = _told(status)
    return told if planned is None else _as_planned(told, planned)


def _as_planned(told: RolloutState, planned: Ensemble) -> RolloutState:
    """The state that a status tells, brought up to the plan."""
    wanted = planned.candidate.artifact if planned.candidate is not None else None
    if told.serving is None or told.serving.digest != planned.artifact.digest:
        promoted = told.candidate is not None and told.candidate.digest == planned.artifact.digest
        told = RolloutState(students=int(promoted), since=told.since)
    state = replace(told, serving=planned.artifact, alone=planned.alone)
    if wanted == state.candidate:
        return state
    if wanted is None:
        # It was let go. Or a worker of an earlier release came, and it was left out for that: both begin anew.
        return replace(state, stage=Stage.SERVING, candidate=None, counted_s=None)
    if state.rejected is not None and state.rejected.artifact == wanted:
        return state  # tried again since, or the plan without it could not be written: its generation tells
    return replace(state, stage=Stage.WARMING, candidate=wanted, rejected=None, counted_s=0.0)


def _told(status: Mapping[str, Any]) -> RolloutState:
    shown = status.get("rollout") or {}
    serving = _artifact(shown.get("serving"))
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
