"""A rollout in an ensemble's status: the condition Loaded, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_contract.plan import Artifact
from phalanx_operator.api.types import Canary, Manifest, StudentEnsemble
from phalanx_operator.decide.candidate import Sight, artifact_in
from phalanx_operator.decide.conditions import Finding, shorten
from phalanx_operator.decide.loaded import ensemble_in, loaded
from phalanx_operator.decide.types import RolloutState, Stage
from phalanx_operator.decide.view import PoolView

_STEP_PERCENT = 10
"""The status does not change with every text that is compared."""


def serving_digest(ensemble: StudentEnsemble, state: RolloutState) -> str:
    """What answers the ensemble's requests."""
    return (state.serving or ensemble.artifact).digest


def rolled_out(view: PoolView, name: str, state: RolloutState, *, digest: str) -> Finding:
    """Whether all workers hold the artifact that the spec names, and it serves; `digest` is of the one that does."""
    if state.rejected is not None:
        message = f"spec.artifact: {state.rejected.message}"
        return Finding(ConditionType.LOADED, ConditionStatus.FALSE, Reason.ROLLED_BACK, message)
    if state.candidate is None:
        return loaded(view, lambda worker: ensemble_in(worker, name, digest))
    wanted = state.candidate.digest
    finding = loaded(view, lambda worker: artifact_in(worker, name, wanted))
    if not finding.holds:
        return finding
    said = "is on trial beside the one that serves" if state.stage is Stage.CANARY else "is about to serve"
    message = f"{finding.message}, which {said}; see status.rolloutDecision"
    return Finding(ConditionType.LOADED, ConditionStatus.FALSE, Reason.ROLLING_OUT, message)


def rollout_status(state: RolloutState, sight: Sight, canary: Canary, *, since: str) -> Manifest:
    """The state as JSON, from which it is restored, and what has been reached of it."""
    shown: Manifest = {"stage": str(state.stage), "since": since}
    if state.serving is not None:
        shown["serving"] = _artifact(state.serving, {"students": state.students})
    if state.rejected is not None:
        why = state.rejected
        more = {"generation": why.generation, "reason": str(why.reason), "message": shorten(why.message)}
        shown["rejected"] = _artifact(why.artifact, more)
    if state.candidate is not None:
        shown |= {"candidate": _artifact(state.candidate), "warm": sight.warm, "workers": len(sight.held)}
    if state.counted_s is not None:
        shown |= {"waiting": True, "countedSeconds": round(state.counted_s)}
    if state.alone:
        shown["alone"] = list(state.alone)
    if state.stage is Stage.CANARY:
        done = min(1.0, sight.compared.texts / canary.min_compared)
        shown["comparedPercent"] = int(done * 100 / _STEP_PERCENT) * _STEP_PERCENT
    return shown


def _artifact(artifact: Artifact, more: Mapping[str, Any] | None = None) -> Manifest:
    return {"uri": artifact.uri, "digest": artifact.digest, **(more or {})}
