"""The burst guard: how many students the next batch gets.

Students are shed at once when the queue would not drain in time, and come back one by one after a calm
spell (SYSTEMS section 1: the largest k whose predicted drain time meets the objective; hysteresis on the way up).
"""

from __future__ import annotations

from dataclasses import dataclass

from phalanx_server.batching.capacity import Capacity


@dataclass(frozen=True, kw_only=True, slots=True)
class BurstPolicy:
    """When to shed and when to add.

    objective_s: the latency objective of the pool.
    queue_share: share of the objective that the queue's drain may take.
    raise_share: a student comes back only if the drain, with it, takes at most this share of what is allowed.
    raise_after_s: and only after it has been so for this long.
    """

    objective_s: float
    queue_share: float = 1.0
    raise_share: float = 0.5
    raise_after_s: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BurstState:
    """Students of the latest batch, and since when one more could have run (None: it could not)."""

    students: int
    calm_since_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What has to be computed: tokens of this ensemble, and seconds of work for others on the same device."""

    tokens: int
    others_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The plan's range of students, both ends included."""

    floor: int
    ceiling: int


def pick_students(
    state: BurstState | None, backlog: Backlog, bounds: Bounds, *, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> BurstState:
    """The students of the next batch; within the bounds always, and never more for a longer backlog.

    With no state yet the batch starts from the ceiling.
    """
    allowed_s = policy.objective_s * policy.queue_share
    current = bounds.ceiling if state is None else min(max(state.students, bounds.floor), bounds.ceiling)
    most = _largest(backlog, bounds, capacity=capacity, allowed_s=allowed_s)
    if most < current:
        return BurstState(students=most)
    calm = _largest(backlog, bounds, capacity=capacity, allowed_s=allowed_s * policy.raise_share)
    if calm <= current:
        return BurstState(students=current)
    since_s = now_s if state is None or state.calm_since_s is None else state.calm_since_s
    if now_s - since_s < policy.raise_after_s:
        return BurstState(students=current, calm_since_s=since_s)
    return BurstState(students=current + 1, calm_since_s=now_s)


def _largest(backlog: Backlog, bounds: Bounds, *, capacity: Capacity, allowed_s: float) -> int:
    """The largest count that drains the backlog in the time allowed, or the floor."""
    for students in range(bounds.ceiling, bounds.floor, -1):
        if backlog.others_s + capacity.drain_s(students=students, tokens=backlog.tokens) <= allowed_s:
            return students
    return bounds.floor
