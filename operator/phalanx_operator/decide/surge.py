"""Whether pods are replaced with a further pod beside the others, or without one.

With `spec.rollout.surge: WhenItFits` a rolling update begins with a further pod, so that nothing is missing meanwhile.
Where there is no room for it for a while (no node takes it, a quota refuses it, its volume is the old pod's) it would
wait for ever: then this rolling update goes on without, as the spec's maxSurge and maxUnavailable say. The next one
begins with a further pod again.

A pod that would not come without the others either takes none of them away: one whose image is not there, one that
crashes, one that an admission policy refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_operator.api.types import Manifest, Rollout, Surge
from phalanx_operator.decide.types import Action, Decision, DecisionReason, Deployed, WorkerView

WAIT_S: Final = 60.0
"""How long the further pod may wait for room: a node that is scaled up, or a pod that ends, may still make some."""

_QUOTA: Final = "exceeded quota"
"""What the API server says where a ResourceQuota refuses a pod. It gives no reason of its own to tell that by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SurgeState:
    """`stuck_since`: since when a further pod has no room; `without`: this rolling update goes on without one."""

    stuck_since: float | None = None
    without: bool = False


def decide_surge(
    rollout: Rollout,
    *,
    deployment: Manifest | None,
    workers: Sequence[WorkerView],
    deployed: Deployed,
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
    further = len(workers) > wanted
    if deployed.refused and _QUOTA not in deployed.refused and not further:
        message = f"the further pod cannot be created, and no other would be in its place: {deployed.refused}"
        return _step(SurgeState(), Action.STAY, DecisionReason.SURGE_WAITS, message)
    stuck = _stuck(workers, deployed) if further else _refused(deployed)
    if not stuck:
        message = "pods are replaced with a further one beside them"
        return _step(SurgeState(), Action.STAY, DecisionReason.SURGE_FITS, message)
    return _waited(rollout, state, stuck, now)


def _waited(rollout: Rollout, state: SurgeState, stuck: str, now: float) -> Decision[SurgeState]:
    since = now if state.stuck_since is None else min(state.stuck_since, now)
    waiting = replace(state, stuck_since=since)
    if now - since < WAIT_S:
        message = f"{stuck}; it may wait {WAIT_S:g} s"
        return _step(waiting, Action.STAY, DecisionReason.SURGE_WAITS, message)
    message = (
        f"{stuck}. It was given {WAIT_S:g} s: this rolling update goes on with maxSurge {rollout.max_surge} and "
        f"maxUnavailable {rollout.max_unavailable}"
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


def _stuck(workers: Sequence[WorkerView], deployed: Deployed) -> str:
    """What keeps a further pod that exists from starting though it would without the others; empty if nothing does.

    One without a container has the node, but not all that it mounts. Images are pulled in that state, too: for as long
    as the Deployment allows, that is a slow start.
    """
    for each in workers:
        if each.problem is Reason.WORKERS_UNSCHEDULABLE:
            return f"no node takes {each.name}, the further pod: {each.message}"
        if deployed.stuck and each.problem is None and not each.started:
            return f"{each.name}, the further pod, does not start: {deployed.stuck}"
    return ""


def _refused(deployed: Deployed) -> str:
    return f"a quota leaves no room for the further pod: {deployed.refused}" if deployed.refused else ""


def _step(state: SurgeState, action: Action, reason: DecisionReason, message: str) -> Decision[SurgeState]:
    return Decision(state=state, action=action, reason=reason, message=message)
