"""Whether pods are replaced with a further pod beside the others, or without one.

With `spec.rollout.surge: WhenItFits` a rolling update begins with a further pod, so that nothing is missing meanwhile.
Where no node takes it for a while it would wait for ever: then this rolling update goes on without, as the spec's
maxSurge and maxUnavailable say. The next one begins with a further pod again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_operator.api.types import Manifest, Rollout, Surge
from phalanx_operator.decide.types import Action, Decision, DecisionReason, WorkerView

WAIT_S: Final = 60.0
"""How long the further pod may wait for a node: one that is scaled up, or a pod that ends, may still make room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SurgeState:
    """`stuck_since`: since when no node takes the further pod; `without`: this rolling update goes on without one."""

    stuck_since: float | None = None
    without: bool = False


def decide_surge(
    rollout: Rollout,
    *,
    deployment: Manifest | None,
    workers: Sequence[WorkerView],
    wanted: int,
    state: SurgeState,
    now: float,
) -> Decision[SurgeState]:
    """One step; `now` in seconds, in the clock of the state."""
    if rollout.surge is Surge.NEVER or deployment is None or not is_rolling(deployment):
        message = "no pod is being replaced"
        return _step(SurgeState(), Action.STAY, DecisionReason.SURGE_IDLE, message)
    if state.without:
        return _step(state, Action.STAY, DecisionReason.SURGE_DOES_NOT_FIT, "pods are replaced without a further one")
    stuck = next((each for each in workers if each.problem is Reason.WORKERS_UNSCHEDULABLE), None)
    if stuck is None or len(workers) <= wanted:
        message = "pods are replaced with a further one beside them"
        return _step(SurgeState(), Action.STAY, DecisionReason.SURGE_FITS, message)
    since = now if state.stuck_since is None else min(state.stuck_since, now)
    waiting = replace(state, stuck_since=since)
    if now - since < WAIT_S:
        message = f"no node takes {stuck.name}, the further pod; it may wait {WAIT_S:g} s: {stuck.message}"
        return _step(waiting, Action.STAY, DecisionReason.SURGE_WAITS, message)
    message = (
        f"no node took {stuck.name} for {WAIT_S:g} s ({stuck.message}): this rolling update goes on with maxSurge "
        f"{rollout.max_surge} and maxUnavailable {rollout.max_unavailable}"
    )
    return _step(replace(waiting, without=True), Action.LOWER, DecisionReason.SURGE_DOES_NOT_FIT, message)


def in_force(rollout: Rollout, state: SurgeState) -> Rollout:
    """What the Deployment is told: one further pod and none missing, unless that does not fit."""
    if rollout.surge is Surge.NEVER or state.without:
        return rollout
    return replace(rollout, max_surge=max(rollout.max_surge, 1), max_unavailable=0)


def is_rolling(deployment: Manifest) -> bool:
    """Whether pods of an older template are there, or the controller has not looked at the newest one yet."""
    status, meta = deployment.get("status") or {}, deployment["metadata"]
    unseen = status.get("observedGeneration", 0) < meta.get("generation", 0)
    return bool(unseen or status.get("updatedReplicas", 0) < status.get("replicas", 0))


def _step(state: SurgeState, action: Action, reason: DecisionReason, message: str) -> Decision[SurgeState]:
    return Decision(state=state, action=action, reason=reason, message=message)
