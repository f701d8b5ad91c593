"""The statuses of the three kinds as JSON. Pure: the same inputs give the same status, so that it is written on change.

`previous` is the status that the resource has now: times and sentences are kept where nothing else changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from phalanx_contract.conditions import Reason
from phalanx_contract.plan import Cut
from phalanx_contract.worker import LoadState
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.types import Manifest, Meta, ServingPool, StudentEnsemble, Surge, TenantAdapter
from phalanx_operator.decide.accept import Verdict, refused
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.conditions import Finding, accepted, applied, merge_conditions, ready, shorten
from phalanx_operator.decide.distillation import Distillation
from phalanx_operator.decide.loaded import adapter_in, ensemble_in, loaded, same_adapter, same_ensemble, served
from phalanx_operator.decide.remembered import distill_status
from phalanx_operator.decide.rolledout import rolled_out, rollout_status, serving_digest
from phalanx_operator.decide.surge import SurgeState
from phalanx_operator.decide.types import (
    Action,
    Decision,
    DecisionReason,
    ExitsState,
    Observation,
    ReplicasState,
    RolloutState,
    StudentsState,
)
from phalanx_operator.decide.view import PoolView, facts_of, report_of
from phalanx_operator.decide.workers import available, complete, elsewhere, metrics_available, outdated, plan_served

_KEPT: Final = ("rollout", "distill")
"""Which artifact serves, and what was distilled, has to be known when the spec is mended or its pool is back."""


def refused_status(meta: Meta, reasons: SpecError | Verdict, *, previous: Mapping[str, Any], now: str) -> Manifest:
    """The status of any kind of resource that is not served because of its spec."""
    verdict = refused(reasons) if isinstance(reasons, SpecError) else reasons
    findings = [accepted(verdict)]
    summary = ready(findings, reason=Reason.UNKNOWN, message="")
    kept = {key: previous[key] for key in _KEPT if key in previous}
    return _status(meta, previous, [summary, *findings], now) | kept


def undistilled_status(
    meta: Meta, distillation: Distillation, *, job: str, previous: Mapping[str, Any], now: str
) -> Manifest:
    """The status of an accepted StudentEnsemble that has nothing to serve yet; `job` is the Job that it waits for."""
    findings = [accepted(Verdict()), distillation.finding]
    summary = ready(findings, reason=Reason.UNKNOWN, message="")
    return _status(meta, previous, [summary, *findings], now) | {
        "distill": distill_status(distillation.remembered, job=job)
    }


def pool_status(
    pool: ServingPool,
    *,
    view: PoolView,
    selector: str,
    observation: Observation,
    replicas: Decision[ReplicasState],
    surge: Decision[SurgeState] | None = None,
    refusals: Sequence[str] = (),
    previous: Mapping[str, Any],
    now: str,
    now_s: float,
) -> Manifest:
    """The status of an accepted ServingPool; `now` is ISO 8601, `now_s` the same in the observation's clock."""
    findings = [accepted(Verdict()), applied(refusals), available(view, pool), complete(view), plan_served(view)]
    reason, message = Reason.WORKERS_READY, "the workers serve the current plan"
    if pool.paused:
        reason, message = Reason.PAUSED, f"{message}; paused: nothing is changed until spec.paused is false"
    findings = [
        ready(findings, reason=reason, message=message),
        *findings,
        metrics_available(observation, pool, now=now_s),
    ]
    return _status(pool.meta, previous, findings, now) | {
        "wanted": view.wanted,
        "replicas": len(view.workers),
        "readyReplicas": sum(worker.ready for worker in view.workers),
        "selector": selector,
        "plan": {
            "hash": view.plan_hash,
            "ensembles": len(view.current.ensembles),
            "adapters": len(view.current.adapters),
        },
        "decision": decision_status(replicas, previous=previous.get("decision"), now=now),
        **_surge(pool, surge, previous.get("rolloutDecision"), now),
    }


def ensemble_status(
    ensemble: StudentEnsemble,
    *,
    view: PoolView,
    cut: Cut,
    students: Decision[StudentsState],
    exits: Decision[ExitsState],
    rollout: Decision[RolloutState],
    sight: Sight,
    since: str,
    distillation: Distillation | None = None,
    job: str = "",
    previous: Mapping[str, Any],
    now: str,
) -> Manifest:
    """The status of an accepted StudentEnsemble; `since` is when the rollout's stage began, ISO 8601 as `now`.

    `distillation` and its `job` are those of an ensemble that is distilled.
    """
    name, digest = ensemble.meta.key.name, serving_digest(ensemble, rollout.state)
    findings = [
        accepted(Verdict()),
        *([distillation.finding] if distillation is not None else []),
        rolled_out(view, name, rollout.state, digest=digest),
        outdated(view) if name in view.withheld.ensembles else served(view, partial(same_ensemble, view, name=name)),
    ]
    summary = ready(findings, reason=Reason.SERVING, message="all ready workers serve it as its spec says")
    status = _status(ensemble.meta, previous, [summary, *findings], now)
    if distillation is not None:
        status["distill"] = distill_status(distillation.remembered, job=job)
    return status | {
        "students": _students(name, digest, view, cut, students.state),
        "thresholds": list(cut.thresholds),
        "artifact": _artifact(ensemble, digest, view),
        "workers": {
            "ready": sum(
                same_ensemble(view, worker, name) and ensemble_in(worker, name, digest).state is LoadState.SERVING
                for worker in view.ready_workers()
            ),
            "total": len(view.workers),
        },
        "decision": decision_status(students, previous=previous.get("decision"), now=now),
        "exitsDecision": decision_status(exits, previous=previous.get("exitsDecision"), now=now),
        "rollout": rollout_status(rollout.state, sight, ensemble.rollout.canary, since=since),
        "rolloutDecision": _rollout_decision(rollout, previous.get("rolloutDecision"), now),
    }


def _surge(
    pool: ServingPool, surge: Decision[SurgeState] | None, previous: Mapping[str, Any] | None, now: str
) -> Manifest:
    """Nothing to tell where pods are replaced by numbers alone. What a rolling update fell back to stays to be read."""
    if surge is None or pool.rollout.surge is Surge.NEVER:
        return {}
    if surge.action is Action.STAY and previous and previous.get("reason") == surge.reason:
        return {"rolloutDecision": dict(previous)}
    return {"rolloutDecision": decision_status(surge, previous=previous, now=now)}


def adapter_status(adapter: TenantAdapter, *, view: PoolView, previous: Mapping[str, Any], now: str) -> Manifest:
    """The status of an accepted TenantAdapter."""
    ensemble, name, digest = adapter.ensemble, adapter.meta.key.name, adapter.artifact.digest
    findings = [
        accepted(Verdict()),
        loaded(view, lambda worker: adapter_in(view, worker, ensemble, name, digest), absent=elsewhere),
        served(view, lambda worker: same_adapter(view, worker, ensemble, name), absent=elsewhere),
    ]
    summary = ready(findings, reason=Reason.SERVING, message="all ready workers serve it as its spec says")
    serving = sum(
        same_adapter(view, worker, ensemble, name)
        and adapter_in(view, worker, ensemble, name, digest).state is LoadState.SERVING
        for worker in view.ready_workers()
    )
    status = _status(adapter.meta, previous, [summary, *findings], now)
    return status | {"workers": {"ready": serving, "total": len(view.workers)}}


def decision_status(decision: Decision[Any], *, previous: Mapping[str, Any] | None, now: str) -> Manifest:
    """A decision as JSON. One that changes nothing, for the same reason as before, stays as it was written.

    A hold keeps its time only: its sentence says what is missing, and has to be true of now. It carries no numbers that
    would change in every round.
    """
    shown = {
        "action": str(decision.action),
        "reason": str(decision.reason),
        "message": shorten(decision.message),
        "time": now,
    }
    moves = decision.action not in (Action.STAY, Action.HOLD)
    if not moves and previous and all(previous.get(key) == shown[key] for key in ("action", "reason")):
        return {**shown, "time": previous.get("time", now)} if decision.action is Action.HOLD else dict(previous)
    return shown


def _rollout_decision(rollout: Decision[RolloutState], previous: Mapping[str, Any] | None, now: str) -> Manifest:
    """Why an artifact serves, or was rolled back, stays to be read: that nothing has changed since says less."""
    before, reason = previous or {}, rollout.reason
    promoted = before.get("action") == Action.PROMOTE and reason is DecisionReason.ARTIFACT_CURRENT
    back = before.get("action") == Action.ROLL_BACK and reason == before.get("reason")
    if rollout.action is Action.STAY and (promoted or back):
        return dict(before)
    return decision_status(rollout, previous=previous, now=now)


def _status(meta: Meta, previous: Mapping[str, Any], findings: Sequence[Finding], now: str) -> Manifest:
    conditions = merge_conditions(previous.get("conditions") or (), findings, generation=meta.generation, now=now)
    return {"observedGeneration": meta.generation, "conditions": conditions}


def _students(name: str, digest: str, view: PoolView, cut: Cut, state: StudentsState) -> Manifest:
    facts = facts_of(view.workers, ensemble=name, digest=digest)
    shown: Manifest = {"floor": cut.students_floor, "lowered": state.lowered}
    if cut.students_ceiling is not None:
        shown["ceiling"] = cut.students_ceiling
    if facts is not None:
        shown["available"] = facts.students
    return shown


def _artifact(ensemble: StudentEnsemble, digest: str, view: PoolView) -> Manifest:
    reports = [report for worker in view.workers if (report := report_of(worker, ensemble.meta.key.name))]
    digests = {report.digest for report in reports}
    shown: Manifest = {"wanted": ensemble.artifact.digest}
    # Left out rather than empty: some old API servers take an empty text for null and refuse the status.
    if len(digests) == 1 and "" not in digests:
        shown["digest"] = digests.pop()
    known = next((report for report in reports if report.digest == digest and report.rows), None)
    if known is not None:
        shown |= {"rows": known.rows, "ramps": known.ramps, "classes": known.classes}
    return shown
