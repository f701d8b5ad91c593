"""How many workers a pool runs: the minutes' half of the control loop, after the students' seconds.

The load is counted in workers: the share of the workers' time that all offered tokens take with all students, times the
workers whose metrics are there (feed-forward). Students are dropped at once when load rises; workers follow:

    raise   the load is above 0.8 of the workers for a window of the metrics (at once where even the fewest students
            do not keep up), to where it is 0.65; or students have stayed dropped (by the operator, or above 0.65 by
            the workers), the objective missed or the workers busy for two windows while the load seemed to fit
            (feedback), by one
    lower   the most that was needed in the last five minutes is less, to that; by half at most, a minute apart
    stay    workers that were asked for are not ready yet: what they bring has to be seen first (`pending.py`)
    hold    metrics are missing, stale or make no sense: what runs keeps running

The gap between 0.65 and 0.8, and looking back five minutes, keep a constant load from moving workers to and fro; that a
larger number comes from the load alone, never from a ratio to what runs, keeps it from running away while pods start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from phalanx_operator.api.types import Autoscaling
from phalanx_operator.decide.demand import share_at
from phalanx_operator.decide.pending import Pending, pending_of
from phalanx_operator.decide.policy import LOWER_ABOVE, ReplicasPolicy
from phalanx_operator.decide.trust import Doubt, doubt_load, doubt_observation
from phalanx_operator.decide.types import (
    Action,
    Decision,
    DecisionReason,
    EnsembleMetrics,
    Observation,
    ReplicasState,
    StudentsState,
    WorkerView,
)

UP_ABOVE: Final = 0.8
"""Share of the workers that the load may take before there are more."""
AIM: Final = 0.65
"""Share that it takes once they have come."""
BUSY: Final = 0.95
"""Share of the time beyond which workers have no room left, whatever their measured capacity says."""
LACKING: Final = 0.5
"""Students that answers lack on average where the workers themselves keep some dropped."""
ROOM: Final = 0.9
"""Share of the time that fewer workers may be busy: enough below `BUSY` that none has to come back."""
DOWN_AFTER_S: Final = 300.0
"""How long fewer have to be enough: pods take minutes to come back."""
DOWN_EVERY_S: Final = 60.0
"""Between two steps down."""
DOWN_SHARE: Final = 0.5
"""Of the workers, that one step down may take."""
UP_FACTOR: Final = 2.0
"""Times the workers that one step up may reach, or `UP_LEAST` more if that is more."""
UP_LEAST: Final = 4

_Step = Decision[ReplicasState]


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One ensemble of the pool as the number of workers depends on it.

    `most` None: no worker serves its artifact, so it takes no load and keeps the others' workers from nothing.
    """

    name: str
    metrics: EnsembleMetrics | None
    fewest: int
    most: int | None
    students: StudentsState

    @property
    def lacking(self) -> float:
        """How many of the students that may answer did not, on average; 0 where that is not known."""
        allowed, used = self.students.ceiling or self.most, self.metrics.students if self.metrics else None
        return 0.0 if allowed is None or used is None else allowed - used


@dataclass(frozen=True, kw_only=True, slots=True)
class _Load:
    """The load in workers, with all students and with the fewest; `short` says why it does not fit, if it does not.

    Of the `live` workers, `pending` ones are not ready.
    """

    workers: float
    fewest: float
    short: str
    live: int
    pending: Pending
    now: float

    @property
    def present(self) -> int:
        """Workers that the load is shared by, now or soon."""
        return self.live - self.pending.absent

    @property
    def needed(self) -> int:
        """Workers that bring the load down to the aim, beside absent ones; those that run, if within the gap."""
        aimed = math.ceil(self.workers / AIM - 1e-9) + self.pending.absent
        return self.live if aimed > self.live and self.workers <= UP_ABOVE * self.present else aimed

    def __str__(self) -> str:
        absent = f"; {self.pending.said}" if self.pending.absent else ""
        return f"the load with all students is {self.workers:.1f} workers' work, {self.live} run{absent}"


def decide_replicas(
    *,
    policy: ReplicasPolicy,
    live: int | None,
    workers: Sequence[WorkerView],
    models: Sequence[Model],
    observation: Observation,
    state: ReplicasState,
    now: float,
    changing: str = "",
) -> _Step:
    """One step; `live` is what the Deployment asks for now, None if there is none yet. `now` in seconds.

    `changing` is the name of a worker that changes its artifact, and is away for that; empty if none does.
    The state's `count` is the number wanted: within the policy's bounds, except in a paused pool and with autoscaling
    Off.
    """
    by_spec = _by_spec(policy, state, live, now)
    if by_spec is not None:
        return _unless_changing(by_spec, state, live, changing)
    assert live is not None
    known = [model for model in models if model.most is not None]
    pending = pending_of(workers, live, since=state.pending_since, now=now)
    doubt = _doubt(policy, models, known, observation, now)
    load = None if doubt else _load(policy, known, observation, live, pending, now)
    if load is None:
        why = doubt or Doubt(DecisionReason.METRICS_MISSING, "the workers' capacity is not measured yet")
        return _stay(ReplicasState(pending_since=pending.since), live, why.reason, why.message, action=Action.HOLD)
    seen = _remembered(state, load)
    step = _up(policy, seen, load) or _down(policy, seen, load, observation)
    step = _unless_changing(step, seen, live, changing)
    return _only_recommended(step, seen, live) if policy.recommend_only else step


def _by_spec(policy: ReplicasPolicy, state: ReplicasState, live: int | None, now: float) -> _Step | None:
    """The decision where the spec leaves none to take; None where load decides."""
    if live is None:
        first = policy.clamped(policy.low if policy.autoscaling is Autoscaling.OPERATOR else policy.count)
        return _stay(state, first, DecisionReason.SPEC_BOUNDS, f"{first} workers to begin with{policy.said}")
    if policy.paused:
        return _stay(state, live, DecisionReason.PAUSED, "the pool is paused", action=Action.HOLD)
    if policy.autoscaling is not Autoscaling.OPERATOR:
        return _others(policy, state, live, now)
    bounded = policy.clamped(live)
    if bounded != live:
        return _moved(state, live, bounded, DecisionReason.SPEC_BOUNDS, f"{live} workers run{policy.said}", now)
    if policy.low == policy.high:
        return _stay(state, live, DecisionReason.SPEC_BOUNDS, f"spec.replicas allows {live} workers and no others")
    return None


def _others(policy: ReplicasPolicy, state: ReplicasState, live: int, now: float) -> _Step:
    if policy.autoscaling is Autoscaling.OFF:
        message = "spec.autoscaling is Off: the number is the Deployment's"
        return _stay(state, live, DecisionReason.REPLICAS_KEPT, message)
    count = policy.clamped(policy.count)
    message = f"spec.replicas.count is {policy.count}{policy.said if count != policy.count else ''}"
    reason = DecisionReason.REPLICAS_COUNT if count == policy.count else DecisionReason.SPEC_BOUNDS
    return _moved(state, live, count, reason, message, now)


def _doubt(
    policy: ReplicasPolicy, models: Sequence[Model], known: Sequence[Model], observation: Observation, now: float
) -> Doubt | None:
    """A served ensemble of which nothing is known leaves the sum unknown; so does a pool that serves nothing at all."""
    if not models:
        return None
    doubt = doubt_observation(observation, stale_after_s=policy.stale_after_s, now=now)
    if doubt is None and not known:
        return Doubt(DecisionReason.ARTIFACT_UNKNOWN, "no worker serves any artifact yet")
    for model in known:
        found = None if doubt else doubt_load(model.metrics)
        if found is not None:
            return Doubt(found.reason, f"{model.name}: {found.message}")
    return doubt


def _load(
    policy: ReplicasPolicy,
    models: Sequence[Model],
    observation: Observation,
    live: int,
    pending: Pending,
    now: float,
) -> _Load | None:
    shares = [
        (share_at(model.metrics, model.most or model.fewest), share_at(model.metrics, model.fewest))
        for model in models
        if model.metrics is not None
    ]
    if any(share is None for pair in shares for share in pair):
        return None
    workers = observation.workers * sum(most or 0.0 for most, _ in shares)
    return _Load(
        workers=workers,
        fewest=observation.workers * sum(fewest or 0.0 for _, fewest in shares),
        short=_short(policy, models, observation, crowded=workers > AIM * (live - pending.absent)),
        live=live,
        pending=pending,
        now=now,
    )


def _short(policy: ReplicasPolicy, models: Sequence[Model], observation: Observation, *, crowded: bool) -> str:
    """What shows that the workers do not keep up, whatever their capacity says; empty if nothing does.

    Workers drop students by themselves, too. That counts only while the load is above the aim: below it one worker more
    would not be kept, and may not be what they lack.
    """
    for model in models:
        p99_s = model.metrics.p99_s if model.metrics else None
        if p99_s is not None and p99_s > policy.objective_p99_s:
            return f"{model.name} misses the objective"
        if model.students.lowered:
            return f"{model.name} has students dropped"
        if crowded and model.lacking > LACKING:
            return f"the workers keep {model.lacking:.1f} students of {model.name} dropped"
    busy = observation.busy_share
    return f"the workers are busy for {busy:.0%} of the time" if busy is not None and busy > BUSY else ""


def _remembered(state: ReplicasState, load: _Load) -> ReplicasState:
    """The state with this reading: since when more are needed, since when all workers are short, and the latest peaks.

    A peak that is no higher than a later one says nothing any more, so few are kept.
    """
    above, short = load.needed > load.live, bool(load.short) and load.pending.counted_on == 0
    recent = tuple((at, count) for at, count in state.peaks if load.now - at <= DOWN_AFTER_S and count > load.needed)
    return replace(
        state,
        since=load.now if state.since is None else state.since,
        above_since=(load.now if state.above_since is None else state.above_since) if above else None,
        short_since=(load.now if state.short_since is None else state.short_since) if short else None,
        pending_since=load.pending.since,
        peaks=(*recent, (load.now, load.needed)),
    )


def _up(policy: ReplicasPolicy, state: ReplicasState, load: _Load) -> _Step | None:
    urgent = load.fewest > LOWER_ABOVE * load.present
    corrected = load.live + 1 if _lasts(state.short_since, policy.correct_after_s, load.now) else 0
    wanted = max(load.needed, corrected)
    if wanted <= load.live:
        return None
    message = str(load) if wanted == load.needed else f"{load}, but {load.short}"
    if load.live >= policy.high:
        reached = f"{message}; spec.replicas.max is {policy.high}: raise it for more"
        return _stay(state, load.live, DecisionReason.AT_MAX_REPLICAS, reached)
    if load.pending.blocks:
        return _stay(state, load.live, DecisionReason.REPLICAS_PENDING, f"{message}; {load.pending.said}")
    if wanted == load.needed and not urgent and not _lasts(state.above_since, policy.up_after_s, load.now):
        return _stay(state, load.live, DecisionReason.COOLING_DOWN, f"{message}; whether it lasts is not seen yet")
    step = max(math.floor(load.live * UP_FACTOR), load.live + UP_LEAST)
    count = policy.clamped(min(wanted, step))
    reason = DecisionReason.OVERLOADED if wanted == load.needed else DecisionReason.CAPACITY_SHORT
    return _moved(state, load.live, count, reason, message, load.now)


def _down(policy: ReplicasPolicy, state: ReplicasState, load: _Load, observation: Observation) -> _Step:
    most = max((count for _, count in state.peaks), default=load.needed)
    wanted = max(policy.clamped(most), math.ceil(load.live * (1 - DOWN_SHARE)))
    if wanted >= load.live:
        floor = load.live <= policy.low and load.needed <= policy.low
        reason = DecisionReason.AT_MIN_REPLICAS if floor else DecisionReason.WITHIN_OBJECTIVE
        return _stay(state, load.live, reason, str(load))
    if load.short:
        return _stay(state, load.live, DecisionReason.WITHIN_OBJECTIVE, f"{load}, but {load.short}")
    busy = _busy_with(wanted, observation)
    if busy > ROOM:
        message = f"{load}, but {wanted} would be busy for {busy:.0%} of the time"
        return _stay(state, load.live, DecisionReason.WITHIN_OBJECTIVE, message)
    settled = _lasts(state.since, DOWN_AFTER_S, load.now) and _lasts(
        state.changed_at, DOWN_EVERY_S, load.now, never=True
    )
    if not settled:
        message = f"{load}; {wanted} would do, once that has been so for {DOWN_AFTER_S / 60:g} minutes"
        return _stay(state, load.live, DecisionReason.COOLING_DOWN, message)
    return _moved(state, load.live, wanted, DecisionReason.HEADROOM, str(load), load.now)


def _unless_changing(step: _Step, seen: ReplicasState, live: int | None, changing: str) -> _Step:
    """The step, if it takes none away while one is on its way. Which ones go is not the operator's choice: it could be
    the one that serves meanwhile. A pool that is scaled to 0 needs none."""
    if not changing or live is None or not 0 < step.state.count < live:
        return step
    message = f"{step.state.count} would do; none goes until {changing} is back, which changes its artifact"
    return _stay(seen, live, DecisionReason.WORKERS_CHANGING, message)


def _busy_with(wanted: int, observation: Observation) -> float:
    """The share of the time for which so many workers would be busy.

    Fewer workers make larger batches, so they are busy for less than in proportion. In proportion is what their texts
    would take one by one, u, and a worker is busy for u / (1 + u^4)^(1/4) of the time: close to u while it idles, and
    to all of it where batches follow each other. The tests of the simulation hold that to the worker's batching.
    """
    busy = min(observation.busy_share or 0.0, 1.0)
    if busy <= 0.0 or wanted <= 0:
        return 0.0
    alone = observation.workers / wanted * busy
    return float(alone / (alone**4 + 1.0 - busy**4) ** 0.25)


def _lasts(since: float | None, seconds: float, now: float, *, never: bool = False) -> bool:
    """Whether something has been so for long enough; `never` is the answer where it has not been at all."""
    return never if since is None else now - since >= seconds


def _moved(state: ReplicasState, live: int, count: int, reason: DecisionReason, message: str, now: float) -> _Step:
    """To another number. What was short has to be seen anew: the workers are not the same ones.

    Those that were asked for now have as long to come as any.
    """
    if count == live:
        return _stay(state, live, reason, message)
    pending_since = now if count > live else state.pending_since
    after = replace(state, count=count, changed_at=now, above_since=None, short_since=None, pending_since=pending_since)
    action = Action.RAISE if count > live else Action.LOWER
    return Decision(state=after, action=action, reason=reason, message=f"{message}: from {live} to {count} workers")


def _stay(
    state: ReplicasState, live: int, reason: DecisionReason, message: str, *, action: Action = Action.STAY
) -> _Step:
    return Decision(state=replace(state, count=live), action=action, reason=reason, message=message)


def _only_recommended(step: _Step, seen: ReplicasState, live: int) -> _Step:
    if step.state.count == live:
        return step
    return replace(step, state=replace(seen, count=live), message=f"recommended only, not applied: {step.message}")
