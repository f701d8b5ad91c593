"""How many workers a pool runs. First version: what the spec's count says, within its bounds."""

from __future__ import annotations

from phalanx_operator.api.types import ServingPool
from phalanx_operator.decide.types import Action, Decision, DecisionReason


def decide_replicas(pool: ServingPool, *, live: int | None) -> Decision[int]:
    """The number of workers wanted; `live` is what the Deployment asks for now, None if there is none.

    Whoever writes `count` (kubectl scale, an autoscaler) owns the scale. Without a count the live number is kept,
    so that an update of the pool never resets it.
    """
    bounds = pool.replicas
    if pool.paused and live is not None:
        return Decision(state=live, action=Action.HOLD, reason=DecisionReason.PAUSED, message="the pool is paused")
    asked = bounds.count if bounds.count is not None else live
    wanted = bounds.min if asked is None else min(max(asked, bounds.min), bounds.max)
    reason = DecisionReason.REPLICAS_KEPT if bounds.count is None else DecisionReason.REPLICAS_COUNT
    source = f"the live number is {asked}" if bounds.count is None else f"the spec's count is {asked}"
    if asked != wanted:
        reason = DecisionReason.SPEC_BOUNDS
    message = f"{wanted} workers: {source}, bounds are {bounds.min} to {bounds.max}"
    return Decision(state=wanted, action=_action(live, wanted), reason=reason, message=message)


def _action(live: int | None, wanted: int) -> Action:
    if live is None or live == wanted:
        return Action.STAY
    return Action.RAISE if wanted > live else Action.LOWER
