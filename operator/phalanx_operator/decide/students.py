"""How many students may answer: the operator's, slow, half of student parallelism (Academus, arXiv 2408.12526).

The worker picks the number for each batch between floor and ceiling; here the ceiling moves:

    lower   offered tokens exceed 0.9 of the capacity at the ceiling: at once, to the most students that hold them
            (feed-forward); or the p99 missed the objective: by one, once the previous change shows (feedback)
    raise   with more students, offered tokens stay below 0.7 of the capacity, the p99 is below 0.7 of the objective,
            the last change is a cool-down ago, and they did not miss the objective at this load: by two at most
    hold    metrics are missing, stale or make no sense, or nothing is known of the artifact

What other ensembles of the pool take of the same devices counts. A number of students that missed the objective while
its capacity seemed to suffice is remembered with the load of a worker, or the two rules would chase each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from phalanx_operator.api.units import format_duration
from phalanx_operator.decide.bounds import Bounds, bounds_of, hold_within
from phalanx_operator.decide.demand import share_at
from phalanx_operator.decide.policy import LOWER_ABOVE, RAISE_AT_MOST, RAISE_BELOW, CutPolicy
from phalanx_operator.decide.trust import Doubt, doubt_load, doubt_observation
from phalanx_operator.decide.types import (
    Action,
    ArtifactFacts,
    Decision,
    DecisionReason,
    EnsembleMetrics,
    Missed,
    Observation,
    StudentsState,
)

_Step = Decision[StudentsState]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Load:
    """One trusted reading, at a known ceiling. `p99_s` is 0 without traffic, `others` the share that others take."""

    tokens_per_s: float
    p99_s: float
    metrics: EnsembleMetrics
    others: float
    workers: int
    ceiling: int
    now: float

    def share_at(self, students: int) -> float | None:
        """The share of the devices that is taken with this many students; None if their capacity is unknown."""
        own = share_at(self.metrics, students)
        return None if own is None else own + self.others

    @property
    def per_worker(self) -> float:
        """Tokens a second that one worker is offered."""
        return self.tokens_per_s / self.workers

    def taken(self, students: int) -> str:
        """The share in words."""
        others = f", {self.others:.0%} of it others'" if self.others >= 0.005 else ""
        share = f"{self.share_at(students) or 0:.0%}"
        return f"{self.tokens_per_s:.0f} tokens/s take {share} of the capacity with {students} students{others}"


def decide_students(
    *,
    policy: CutPolicy,
    facts: ArtifactFacts | None,
    metrics: EnsembleMetrics | None,
    observation: Observation,
    state: StudentsState,
    now: float,
    others: float = 0.0,
) -> _Step:
    """One step of the control loop; `now` in seconds, in the clock of `observation.at`. `others` is the share of the
    devices that other ensembles take.

    The state that is returned always lies within the bounds of spec and artifact, except in a paused pool.
    """
    if policy.paused:
        return _stay(state, DecisionReason.PAUSED, "the pool is paused", action=Action.HOLD)
    bounds = bounds_of(policy, facts, state)
    bounded = hold_within(state, bounds, policy.digest)
    if (bounded.floor, bounded.ceiling) != (state.floor, state.ceiling):
        return _moved_into_bounds(state, bounded)
    doubt = _doubt(policy, facts, metrics, observation, now)
    if doubt is not None:
        return _stay(bounded, doubt.reason, doubt.message, action=Action.HOLD)
    assert metrics is not None and metrics.tokens_per_s is not None and bounded.ceiling is not None
    load = _Load(
        tokens_per_s=metrics.tokens_per_s,
        p99_s=metrics.p99_s or 0.0,
        metrics=metrics,
        others=others,
        workers=max(observation.workers, 1),
        ceiling=bounded.ceiling,
        now=now,
    )
    bounded = _blame_the_load_that_rose(policy, bounded, load)
    step = _overloaded(bounded, load) or _missed(policy, bounded, load) or _headroom(policy, bounds, bounded, load)
    return _only_recommended(step, bounded) if policy.recommend_only else step


def _doubt(
    policy: CutPolicy,
    facts: ArtifactFacts | None,
    metrics: EnsembleMetrics | None,
    observation: Observation,
    now: float,
) -> Doubt | None:
    if facts is None:
        return Doubt(DecisionReason.ARTIFACT_UNKNOWN, "no worker reports the artifact yet")
    return doubt_observation(observation, stale_after_s=policy.stale_after_s, now=now) or doubt_load(metrics)


def _moved_into_bounds(before: StudentsState, after: StudentsState) -> _Step:
    most = "all" if after.ceiling is None else after.ceiling
    action = Action.STAY
    if before.ceiling is not None and after.ceiling is not None and before.ceiling != after.ceiling:
        action = Action.RAISE if after.ceiling > before.ceiling else Action.LOWER
    message = f"spec, artifact and accuracy budget allow {after.floor} to {most} students"
    return Decision(state=after, action=action, reason=DecisionReason.SPEC_BOUNDS, message=message)


def _overloaded(state: StudentsState, load: _Load) -> _Step | None:
    share = load.share_at(load.ceiling)
    if share is None or share <= LOWER_ABOVE:
        return None
    fitting = (k for k in range(load.ceiling - 1, state.floor, -1) if (load.share_at(k) or 0.0) <= LOWER_ABOVE)
    target = next(fitting, state.floor)
    return _lower(state, load, DecisionReason.OVERLOADED, load.taken(load.ceiling), to=target)


def _missed(policy: CutPolicy, state: StudentsState, load: _Load) -> _Step | None:
    if load.p99_s <= policy.objective_p99_s:
        return None
    numbers = f"p99 {format_duration(load.p99_s)}, objective {format_duration(policy.objective_p99_s)}"
    if _since(state, load) < policy.settle_s:
        return _stay(state, DecisionReason.COOLING_DOWN, f"{numbers}; the last change does not show in full yet")
    missed = Missed(students=load.ceiling, tokens_per_s=load.per_worker, p99_s=load.p99_s, at=load.now)
    return _lower(replace(state, missed=missed), load, DecisionReason.OBJECTIVE_MISSED, numbers, to=load.ceiling - 1)


def _lower(state: StudentsState, load: _Load, reason: DecisionReason, message: str, *, to: int) -> _Step:
    if load.ceiling <= state.floor:
        return _stay(state, DecisionReason.AT_FLOOR, f"{message}; {state.floor} is the fewest allowed")
    lowered = replace(state, ceiling=to, lowered=True, changed_at=load.now)
    message = f"{message}: from {load.ceiling} down to {lowered.ceiling} students"
    return Decision(state=lowered, action=Action.LOWER, reason=reason, message=message)


def _headroom(policy: CutPolicy, bounds: Bounds, state: StudentsState, load: _Load) -> _Step:
    if bounds.top is None or load.ceiling >= bounds.top:
        return _stay(state, DecisionReason.AT_CEILING, f"all {load.ceiling} students that are allowed may answer")
    more = load.ceiling + 1
    share = load.share_at(more)
    if share is None:
        return _stay(state, DecisionReason.WITHIN_OBJECTIVE, "the workers' capacity is not measured yet")
    if _would_miss(state.missed, more, load, policy):
        return _stay(state, DecisionReason.WITHIN_OBJECTIVE, f"{more} students missed the objective at this load")
    if share >= RAISE_BELOW or load.p99_s >= RAISE_BELOW * policy.objective_p99_s:
        numbers = f"p99 {format_duration(load.p99_s)}, {load.taken(more)}"
        return _stay(state, DecisionReason.WITHIN_OBJECTIVE, f"{numbers}: no room for one more")
    if _since(state, load) < policy.cool_down_s:
        return _stay(
            state, DecisionReason.COOLING_DOWN, f"{load.taken(more)}; the last change is too recent to add one"
        )
    most = _most(policy, bounds.top, state, load)
    raised = replace(state, ceiling=most, lowered=most < bounds.top, changed_at=load.now)
    message = f"{load.taken(most)}: from {load.ceiling} up to {most} students"
    return Decision(state=raised, action=Action.RAISE, reason=DecisionReason.HEADROOM, message=message)


def _most(policy: CutPolicy, top: int, state: StudentsState, load: _Load) -> int:
    """The most students, a step's worth more at the most, that have room; one more does."""
    most = load.ceiling + 1
    for students in range(most + 1, min(load.ceiling + RAISE_AT_MOST, top) + 1):
        share = load.share_at(students)
        if share is None or share >= RAISE_BELOW or _would_miss(state.missed, students, load, policy):
            break
        most = students
    return most


def _blame_the_load_that_rose(policy: CutPolicy, state: StudentsState, load: _Load) -> StudentsState:
    """The mean over a window lags behind a burst, its p99 does not: what the mean shows until a window after the miss
    belongs to it. Else the calm before a burst is taken for the load that was too much, and nobody comes back."""
    missed = state.missed
    if missed is None or load.now - missed.at > policy.cool_down_s or load.per_worker <= missed.tokens_per_s:
        return state
    return replace(state, missed=replace(missed, tokens_per_s=load.per_worker))


def _would_miss(missed: Missed | None, students: int, load: _Load, policy: CutPolicy) -> bool:
    """Whether so many were tried under such a load, and were too slow for the objective as it is now."""
    return (
        missed is not None
        and students >= missed.students
        and load.per_worker >= RAISE_BELOW * missed.tokens_per_s
        and missed.p99_s >= RAISE_BELOW * policy.objective_p99_s
    )


def _since(state: StudentsState, load: _Load) -> float:
    """Seconds since load last changed the number; a clock that went back counts as no time."""
    return float("inf") if state.changed_at is None else load.now - state.changed_at


def _only_recommended(step: _Step, state: StudentsState) -> _Step:
    if step.state == state:
        return step
    return replace(step, state=state, message=f"recommended only, not applied: {step.message}")


def _stay(state: StudentsState, reason: DecisionReason, message: str, *, action: Action = Action.STAY) -> _Step:
    return Decision(state=state, action=action, reason=reason, message=message)
