"""The engine's own state: a lane for each model with its queue, its speed and its students."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from phalanx_contract.plan import Cut
from phalanx_server.batching.arrivals import NONE, Between
from phalanx_server.batching.budget import Budget, BudgetPolicy, keep_budget, losses_of
from phalanx_server.batching.burst import Bounds, BurstPolicy, BurstState, Demand, pick_students
from phalanx_server.batching.capacity import Capacity
from phalanx_server.batching.item import Item
from phalanx_server.batching.room import WaitingRoom
from phalanx_server.engine.work import Work
from phalanx_server.models import Model


@dataclass(slots=True, eq=False)
class Lane:
    """One model's queue. `burst` is None until its first batch. `losses` are those of `BudgetPolicy`.

    `before` is the most tokens a second that may have been arriving before the oldest text of the latest batch.
    """

    model: Model
    capacity: Capacity
    losses: tuple[float, ...] = ()
    room: WaitingRoom = field(default_factory=WaitingRoom)
    works: dict[int, Work] = field(default_factory=dict)
    burst: BurstState | None = None
    budget: Budget = field(default_factory=Budget)
    before: float = 0.0

    def add(self, work: Work) -> None:
        """Let a work wait."""
        self.room.add(work.item)
        self.works[work.item.id] = work

    def cancel(self, work: Work) -> bool:
        """Drop a work that waits."""
        self.works.pop(work.item.id, None)
        return self.room.cancel(work.item.id)

    def claim(self, items: Iterable[Item]) -> list[Work]:
        """The works of items that the room gave out."""
        return [self.works.pop(item.id) for item in items]

    def drain_s(self, cut: Cut) -> float:
        """Seconds of work that wait here, at the students of the latest batch."""
        return self.capacity.drain_s(students=self._students(cut), tokens=self.room.tokens)

    def load(self, cut: Cut, *, now_s: float) -> Between:
        """Share of the device that arrivals here keep busy, at the students of the latest batch."""
        return self.model.offered.now.rate(now_s).times(1.0 / self.capacity.tokens_per_s(self._students(cut)))

    def load_before(self, cut: Cut, *, now_s: float) -> float:
        """The most of that, as it was before what waits came, or what was computed last where nothing waits."""
        oldest, now = self.room.oldest, self.model.offered.now.rate(now_s)
        before = self.works[oldest.id].before if oldest else min(self.before, now.high)
        return before / self.capacity.tokens_per_s(self._students(cut))

    def pick(
        self,
        cut: Cut,
        others: Sequence[tuple[Lane, Cut]],
        *,
        policy: BurstPolicy,
        spending: BudgetPolicy,
        now_s: float,
    ) -> int:
        """Students for the next batch; `others` share the device."""
        oldest = self.room.oldest
        self.before = self.works[oldest.id].before if oldest else 0.0
        demand = Demand(
            tokens=self.room.tokens,
            offered=self.model.offered.now.rate(now_s),
            before=self.before,
            others_s=sum(lane.drain_s(its) for lane, its in others),
            others_load=sum((lane.load(its, now_s=now_s) for lane, its in others), start=NONE),
            others_before=sum(lane.load_before(its, now_s=now_s) for lane, its in others),
        )
        self.budget, bounds = keep_budget(self.budget, bounds_of(cut, self.model.students), spending, now_s=now_s)
        self.model.speed.floor = bounds.floor
        self.burst = pick_students(self.burst, demand, bounds, capacity=self.capacity, policy=policy, now_s=now_s)
        return self.burst.students

    def _students(self, cut: Cut) -> int:
        return self.burst.students if self.burst else bounds_of(cut, self.model.students).ceiling

    def learn(self, *, students: int, tokens: int, seconds: float) -> None:
        """Correct the capacity by a batch."""
        self.capacity = self.capacity.observe(students=students, tokens=tokens, seconds=seconds)
        self.model.speed.now = self.capacity

    def spend(self, *, texts: int, students: int, spending: BudgetPolicy) -> None:
        """Charge a batch to the accuracy budget."""
        self.budget = self.budget.charged(texts=texts, students=students, policy=spending)


class Lanes:
    """All lanes, by model (an ensemble that changes its artifact has two for a while)."""

    def __init__(self) -> None:
        self._lanes: dict[Model, Lane] = {}

    def of(self, model: Model) -> Lane:
        """The model's lane."""
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = Lane(model=model, capacity=model.capacity, losses=losses_of(model.agreement))
        return lane

    def next(self) -> Lane | None:
        """The lane whose oldest text has waited longest."""
        waiting = [(lane.room.oldest, lane) for lane in self._lanes.values()]
        heads = [(oldest.arrival_s, oldest.id, lane) for oldest, lane in waiting if oldest is not None]
        return min(heads, key=lambda head: head[:2])[2] if heads else None

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def keep(self, models: Sequence[Model]) -> None:
        """Forget the empty lanes of models that serve no more, and with them the models."""
        for model, lane in list(self._lanes.items()):
            if model not in models and not lane.room:
                del self._lanes[model]


def bounds_of(cut: Cut, students: int) -> Bounds:
    """The cut's range within what the model has."""
    ceiling = min(cut.students_ceiling or students, students)
    return Bounds(floor=min(cut.students_floor, ceiling), ceiling=ceiling)
