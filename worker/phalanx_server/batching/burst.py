"""The burst guard: how many students the next batch gets.

Theory (SYSTEMS section 1: from queue, arrival rate and profiled latency(k, tokens), the largest k that meets the
objective). With k students a batch of T tokens takes `fixed + T / rate`, in batches of at most `batch_s`. A text that
arrives as the next batch starts waits until all that waits now is computed, D seconds; meanwhile others arrive, and its
own batch holds those too:

    latency(k) = D + fixed + min(offered * D, batch) / rate      to be <= share * objective
    load(k)    = offered / (batch / (fixed + batch / rate))      share of the device that arrivals keep busy

- Down, at once and as far as needed: latency(k) is too long, or arrivals *surely* exceed what is computed (load > 1).
  The second catches an overload whose queue is still short. Where arrivals *may* exceed what is computed, more go than
  the queue asks for: it will be longer when the next batch ends.
- Up, one student for so much calm: with one more, latency(k) would leave a fourth of what is allowed, and arrivals
  were *at most* 0.85 of what would be computed. It takes less the lower the load is; a pause counts as calm, and a
  moment without room takes back three times as much: one clump of texts is no reason to begin anew.

What arrivals at most are is judged as it was before the oldest text that waits. The guard looks only when something
has just come, and one large request after a pause looks like the beginning of a burst: counted in, it would keep
students away for ever from a client that sends one every few seconds. What such a request costs, its latency tells; if
it was a burst's first, what arrivals *surely* are tells so before long.

The queue alone cannot tell when a student may come back: with few students it is empty also while arrivals would fill
it with one more. The gap between 1 and 0.85, and between what arrivals surely and at most are, is the hysteresis that
keeps k still under a constant load.

Where few texts make up an objective, chance alone drops a student now and then, at any load. So a student that came
back and was dropped again stays away for twice as long as before (up to a bound), unless arrivals have fallen well
below those under which it was dropped: after a burst nothing holds it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from phalanx_server.batching.arrivals import NONE, Between
from phalanx_server.batching.capacity import Capacity

_CLUMP: Final = 3.0
"""How much calm a moment without room takes back, in parts of its length."""
_ALIKE: Final = 0.5
"""Arrivals that are at most this part of those of a drop are another load, of which the drop says nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BurstPolicy:
    """When to shed and when to add.

    objective_s: the latency objective of the pool.
    batch_s: the longest that a batch is made.
    share: share of the objective that a predicted latency may take; tokenizing, HTTP and chance need the rest.
    drop_share: in an overload so many students go that the rest take at most this share of what is allowed;
    raise_share: a student comes back only if the latency with it, beyond launching two batches, takes at most this
    share of what is allowed beyond that;
    raise_load: and arrivals keep the device busy for at most this share of the time;
    raise_after_s: and both for this long, or for less when arrivals are far below;
    hold_s: and for up to this long once students that came back were dropped again.
    """

    objective_s: float
    batch_s: float
    share: float = 0.85
    drop_share: float = 0.5
    raise_share: float = 0.75
    raise_load: float = 0.85
    raise_after_s: float = 0.6
    hold_s: float = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Setback:
    """The latest drop. Under arrivals of about `offered` tokens a second the next raise takes `hold_s` of calm.

    tried: students have been raised since, so that another drop is one to and fro more.
    """

    offered: float
    hold_s: float
    tried: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BurstState:
    """Students of the latest batch, for how long in all one more could have run, and when the batch began."""

    students: int
    at_s: float
    calm_s: float = 0.0
    setback: Setback | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What is to be computed.

    tokens: of this ensemble, waiting; the next batch is taken from them.
    offered: tokens a second that arrive for it, with what waits.
    before: the most tokens a second that may have been arriving before the oldest text that waits.
    others_s: seconds of work that wait for other ensembles on the device.
    others_load: share of the device that arrivals for those keep busy.
    others_before: the most of it, before the oldest that waits of each.
    """

    tokens: int
    offered: Between = NONE
    before: float = 0.0
    others_s: float = 0.0
    others_load: Between = NONE
    others_before: float = 0.0

    @property
    def lasting(self) -> Between:
        """Tokens a second that go on arriving, as far as one can tell: one large request is no rate."""
        return Between(self.offered.low, max(self.before, self.offered.low))

    @property
    def others_lasting(self) -> Between:
        """The same of the other ensembles, as a share of the device."""
        return Between(self.others_load.low, max(self.others_before, self.others_load.low))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The plan's range of students, both ends included."""

    floor: int
    ceiling: int


def pick_students(
    state: BurstState | None, demand: Demand, bounds: Bounds, *, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> BurstState:
    """The students of the next batch; within the bounds always, and never more for a larger demand.

    With no state yet the batch starts from the ceiling.
    """
    current = bounds.ceiling if state is None else min(max(state.students, bounds.floor), bounds.ceiling)
    view = _View(demand, capacity, policy)
    setback = _remembered(state, demand)
    if not view.holds(current) and current > bounds.floor:
        share = policy.drop_share if view.overloads(current) else 1.0
        fitting = (k for k in range(current - 1, bounds.floor, -1) if view.holds(k, share=share))
        most = next(fitting, bounds.floor)
        return BurstState(students=most, at_s=now_s, setback=_dropped(setback, demand, policy))
    calm_s = _calm_s(state, now_s, policy, room=current < bounds.ceiling and view.room(current + 1))
    while current < bounds.ceiling and view.room(current + 1):
        needed_s = max(view.calm_s(current + 1), setback.hold_s if setback else 0.0)
        if calm_s < needed_s:
            return BurstState(students=current, calm_s=calm_s, at_s=now_s, setback=setback)
        current, calm_s = current + 1, calm_s - needed_s
        setback = replace(setback, tried=True) if setback else None
    left_s = calm_s if state and current == state.students and current < bounds.ceiling else 0.0
    return BurstState(students=current, calm_s=left_s, at_s=now_s, setback=setback)


def _remembered(state: BurstState | None, demand: Demand) -> Setback | None:
    """The latest drop, if it still says something. Arrivals that go on rising after a drop belong to it."""
    setback = state.setback if state else None
    if setback is None or demand.offered.high < _ALIKE * setback.offered:
        return None
    return setback if setback.tried else replace(setback, offered=max(setback.offered, demand.offered.middle))


def _dropped(setback: Setback | None, demand: Demand, policy: BurstPolicy) -> Setback:
    """A drop more: one that undoes a raise doubles the time until the next."""
    if setback is None:
        return Setback(offered=demand.offered.middle, hold_s=0.0)
    hold_s = min(max(2 * setback.hold_s, policy.raise_after_s), policy.hold_s) if setback.tried else setback.hold_s
    return Setback(offered=max(setback.offered, demand.offered.middle), hold_s=hold_s)


def _calm_s(state: BurstState | None, now_s: float, policy: BurstPolicy, *, room: bool) -> float:
    """Time without any batch is calm too: after a pause all students may be back at once."""
    if state is None:
        return 0.0
    passed_s = max(now_s - state.at_s, 0.0)
    if room:
        return state.calm_s + passed_s
    return max(state.calm_s - _CLUMP * min(passed_s, policy.batch_s), 0.0)


@dataclass(frozen=True, slots=True)
class _View:
    """What a number of students would mean for this demand."""

    demand: Demand
    capacity: Capacity
    policy: BurstPolicy

    def holds(self, students: int, *, share: float = 1.0) -> bool:
        """Whether so many may go on, within a share of the latency that is allowed."""
        latency_s = self._latency_s(students, offered=self.demand.offered.middle)
        return latency_s <= share * self._allowed_s and self._load(students).low <= 1.0

    def overloads(self, students: int) -> bool:
        """Whether arrivals may exceed what so many compute: no clump of texts, but the beginning of a burst."""
        return self._load(students).high > 1.0

    def room(self, students: int) -> bool:
        """Whether so many would have room to spare, and could go on."""
        least_s = 2 * self.capacity.seconds(students=students, tokens=0)
        latency_s = self._latency_s(students, offered=self.demand.lasting.middle)
        short = latency_s - least_s <= (self._allowed_s - least_s) * self.policy.raise_share
        return short and self._lasting_load(students) <= self.policy.raise_load and self.holds(students)

    def calm_s(self, students: int) -> float:
        """How long there has to be room for so many."""
        return self.policy.raise_after_s * self._lasting_load(students) / self.policy.raise_load

    @property
    def _allowed_s(self) -> float:
        return self.policy.objective_s * self.policy.share

    def _latency_s(self, students: int, *, offered: float) -> float:
        batched = self.capacity.within(students=students, seconds=self.policy.batch_s)
        drain_s = self.demand.others_s + batched.drain_s(students=students, tokens=self.demand.tokens)
        meanwhile = min(offered * drain_s, batched.batch_tokens)
        return drain_s + batched.seconds(students=students, tokens=meanwhile)

    def _load(self, students: int) -> Between:
        return self.demand.others_load + self.demand.offered.times(1.0 / self._rate(students))

    def _lasting_load(self, students: int) -> float:
        """What it is at most."""
        return self.demand.others_lasting.high + self.demand.lasting.high / self._rate(students)

    def _rate(self, students: int) -> float:
        """Tokens a second, in batches that the objective allows."""
        return self.capacity.within(students=students, seconds=self.policy.batch_s).tokens_per_s(students)
