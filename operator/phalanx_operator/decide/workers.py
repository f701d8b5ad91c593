"""Findings on a pool's workers as a whole: are there enough, and do they serve the current plan?"""

from __future__ import annotations

from collections.abc import Iterable

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_operator.api.types import ServingPool
from phalanx_operator.decide.conditions import Finding
from phalanx_operator.decide.trust import doubt_observation
from phalanx_operator.decide.types import DecisionReason, Observation, WorkerView
from phalanx_operator.decide.view import PoolView


def absent(view: PoolView) -> tuple[Reason, str]:
    """Why there are fewer ready workers than wanted: the worst that a pod shows, else that they start."""
    if view.wanted == 0:
        return Reason.NO_WORKERS, "the pool is scaled to 0; raise spec.replicas.count"
    if (trouble := _trouble(view, view.workers)) is not None:
        return trouble
    if view.deployed.refused:
        return Reason.PODS_REFUSED, view.deployed.refused
    if not view.workers:
        return Reason.NO_WORKERS, f"none of {view.wanted} workers exists yet"
    return Reason.WORKERS_STARTING, f"{len(view.ready_workers())} of {view.wanted} workers are ready"


def _trouble(view: PoolView, workers: Iterable[WorkerView]) -> tuple[Reason, str] | None:
    """The worst that the pods show, with one of them by name."""
    troubled = [worker for worker in workers if not worker.ready]
    for problem in (Reason.IMAGE_NOT_PULLED, Reason.WORKERS_CRASHING, Reason.WORKERS_UNSCHEDULABLE):
        named = [worker for worker in troubled if worker.problem is problem]
        if named:
            return problem, f"{len(named)} of {view.wanted} workers, such as {named[0].name}: {named[0].message}"
    return None


def elsewhere(view: PoolView) -> tuple[Reason, str]:
    """As `absent`, for tenants: where it is told.

    A pool may have ten thousand of them. Each turn of its pods, told by every tenant, would be that many writes.
    """
    return Reason.POOL_NOT_AVAILABLE, f"no worker of ServingPool {view.pool} is ready; its condition Available says why"


def available(view: PoolView, pool: ServingPool) -> Finding:
    """True with all workers ready but those that a rolling update may take away, and with one at least."""
    ready = sum(worker.ready for worker in view.workers)
    needed = max(1, view.wanted - pool.rollout.max_unavailable)
    if view.wanted and ready >= needed:
        message = f"{ready} of {view.wanted} workers are ready"
        return Finding(ConditionType.AVAILABLE, ConditionStatus.TRUE, Reason.WORKERS_READY, message)
    reason, message = absent(view)
    return Finding(ConditionType.AVAILABLE, ConditionStatus.FALSE, reason, message)


def complete(view: PoolView) -> Finding:
    """True if all that are wanted are ready and have the present template; Unknown while that is on its way.

    False tells what a pool that serves as well as it may during a rolling update would hide: a rollout that goes no
    further, or a worker that does not come.
    """
    ready = sum(worker.ready for worker in view.workers)
    trouble = _trouble(view, (worker for worker in view.workers if worker.lasts))
    deployed = view.deployed
    if trouble is None and deployed.refused:
        trouble = Reason.PODS_REFUSED, deployed.refused
    if trouble is None and deployed.stuck and (deployed.outdated or ready < view.wanted):
        trouble = Reason.UPDATE_STUCK, deployed.stuck
    if trouble is not None:
        serving = f"; {ready} ready ones go on serving" if ready else ""
        return Finding(ConditionType.COMPLETE, ConditionStatus.FALSE, trouble[0], f"{trouble[1]}{serving}")
    if ready < view.wanted or deployed.outdated:
        message = f"{ready} of {view.wanted} workers are ready, {deployed.outdated} have an earlier template"
        return Finding(ConditionType.COMPLETE, ConditionStatus.UNKNOWN, Reason.WORKERS_UPDATING, message)
    message = f"all {view.wanted} workers are ready and have the present template"
    return Finding(ConditionType.COMPLETE, ConditionStatus.TRUE, Reason.WORKERS_COMPLETE, message)


def plan_served(view: PoolView) -> Finding:
    """True if all ready workers serve the current plan."""
    ready = view.ready_workers()
    if not ready:
        reason, message = absent(view)
        return Finding(ConditionType.PLAN_SERVED, ConditionStatus.FALSE, reason, message)
    if view.withheld.ensembles:
        return outdated(view)
    current = [w for w in ready if w.report and w.report.plan == view.plan_hash]
    if len(current) == len(ready):
        message = f"all {len(ready)} ready workers serve the current plan"
        return Finding(ConditionType.PLAN_SERVED, ConditionStatus.TRUE, Reason.PLAN_CURRENT, message)
    message = f"{len(current)} of {len(ready)} ready workers serve the current plan"
    errors = [f"{w.name}: {w.report.plan_error}" for w in ready if w.report and w.report.plan_error]
    if errors:
        message = f"{message}; {errors[0]}"
    return Finding(ConditionType.PLAN_SERVED, ConditionStatus.FALSE, Reason.PLAN_PENDING, message)


def outdated(view: PoolView) -> Finding:
    """What waits for workers of this release. They are asked for nothing that they do not know, so they can restart."""
    message = (
        f"worker {view.withheld.worker} is of an earlier release and knows no candidates: the new artifact of "
        f"{', '.join(sorted(view.withheld.ensembles))} waits, and what serves goes on"
    )
    return Finding(ConditionType.PLAN_SERVED, ConditionStatus.FALSE, Reason.WORKERS_OUTDATED, message)


def metrics_available(observation: Observation, pool: ServingPool, *, now: float) -> Finding:
    """Whether decisions have something to go by; `now` in seconds, in the clock of the observation."""
    doubt = doubt_observation(observation, stale_after_s=pool.metrics.stale_after_s, now=now)
    if doubt is None:
        message = "decisions rest on fresh metrics"
        return Finding(ConditionType.METRICS_AVAILABLE, ConditionStatus.TRUE, Reason.METRICS_FRESH, message)
    reason = Reason.METRICS_STALE if doubt.reason is DecisionReason.METRICS_STALE else observation.fault
    message = f"{doubt.message}; what was decided before stays in force"
    return Finding(ConditionType.METRICS_AVAILABLE, ConditionStatus.FALSE, reason, message)
