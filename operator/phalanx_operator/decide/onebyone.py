"""Where there is no room for two artifacts: one worker at a time lets go of what it holds, while another one serves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from phalanx_contract.limits import MAX_ALONE
from phalanx_operator.decide.candidate import Sight, name_of
from phalanx_operator.decide.types import Action, Decision, DecisionReason, RolloutState, WorkerView


def without_gone(state: RolloutState, workers: Iterable[WorkerView]) -> RolloutState:
    """The state without workers that are there no more: whoever came in their place has another name, and the next
    one in turn would wait for them for ever."""
    there = {each.name for each in workers}
    return replace(state, alone=tuple(name for name in state.alone if name in there))


def next_forward(state: RolloutState, sight: Sight, *, now: float) -> Decision[RolloutState] | None:
    """The next worker that goes over to the candidate; None if there is none, or none may go now."""
    assert state.candidate is not None
    done = [name for name, held in zip(sight.names, sight.held, strict=False) if held.state == "Serving"]
    worker = _next(state.alone, sight.without_room, done, sight)
    if worker is None or len(state.alone) >= MAX_ALONE:
        return None
    return _go(replace(state, alone=(*state.alone, worker), since=now), worker, name_of(state.candidate), sight)


def next_back(state: RolloutState, sight: Sight) -> Decision[RolloutState] | None:
    """The next worker that comes back to what serves, of those that had gone over; None if there is none."""
    assert state.serving is not None
    if not sight.stranded:
        return None
    done = [name for name in state.alone if name not in sight.stranded]
    worker = _next(state.alone, sight.stranded, done, sight)
    if worker is None:
        return None
    return _go(replace(state, alone=(*done, worker)), worker, name_of(state.serving), sight)


def _next(alone: Iterable[str], waiting: Iterable[str], done: Collection[str], sight: Sight) -> str | None:
    """One that waits, unless another is on its way, or nobody would serve this or any other ensemble meanwhile."""
    if sight.away or any(name not in done or name not in sight.serving for name in alone):
        return None
    kept = {*alone, *sight.needed}
    return next((name for name in waiting if name not in kept and sight.serving - {name}), None)


def _go(state: RolloutState, worker: str, artifact: str, sight: Sight) -> Decision[RolloutState]:
    others = len(sight.serving - {worker})
    message = f"{worker} has no room for two: it lets go of its own before it loads {artifact}; {others} go on serving"
    return Decision(state=state, action=Action.START, reason=DecisionReason.ONE_BY_ONE, message=message)
