"""Workers that were started together, and so do the same."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from phalanx_contract.metrics import LATENCY_BUCKETS_S
from phalanx_contract.plan import Cut
from phalanx_operator.observe import signals
from phalanx_operator.observe.exposition import Scrape
from phalanx_operator.observe.signals import Labels
from phalanx_operator.observe.window import Window
from phalanx_operator.simulate.guard import Budget, View, pick_students
from phalanx_operator.simulate.profile import Profile
from phalanx_operator.simulate.served import Served, serve

_BOUNDS: Final = (*(f"{bound:g}" for bound in LATENCY_BUCKETS_S), "+Inf")


@dataclass(slots=True)
class Counters:
    """What one worker has counted since its start."""

    answered: float = 0.0
    refused: float = 0.0
    offered: float = 0.0
    busy_s: float = 0.0
    buckets: list[float] = field(default_factory=lambda: [0.0] * len(_BOUNDS))
    by_students: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, texts: float, served: Served) -> None:
        """One more second."""
        self.answered += served.answered
        self.refused += served.refused
        self.offered += texts
        self.busy_s += served.busy
        self.by_students[served.students] += served.answered
        for place, share in enumerate((*served.how.buckets, 1.0)):
            self.buckets[place] += served.answered * share


@dataclass(slots=True)
class Cohort:
    """`count` alike workers. They are ready from `ready_at` (s) on; `waiting` texts wait in each."""

    count: int
    ready_at: float
    students: int
    window: Window
    waiting: float = 0.0
    budget: Budget = field(default_factory=Budget)
    counters: Counters = field(default_factory=Counters)

    def ready(self, now: float) -> bool:
        """Whether they take texts."""
        return self.ready_at <= now

    def step(self, texts: float, cut: Cut, profile: Profile, *, objective_s: float) -> Served:
        """One second in which so many texts come to each of them."""
        ceiling = min(cut.students_ceiling or profile.students, profile.students)
        self.budget, floor = self.budget.floor(cut, ceiling, profile)
        view = View(profile=profile, objective_s=objective_s, texts_per_s=texts, waiting=self.waiting)
        self.students = pick_students(self.students, view, floor=floor, ceiling=ceiling)
        served = serve(
            texts, self.waiting, students=self.students, floor=floor, profile=profile, objective_s=objective_s
        )
        self.waiting = served.waiting
        self.budget = self.budget.charged(texts=served.answered, students=self.students, profile=profile, seconds=1.0)
        self.counters.add(texts, served)
        return served

    def scrape(self, ensemble: str, profile: Profile, now: float) -> None:
        """Read what one of them exposes; those that load expose what they have counted: nothing."""
        self.window = self.window.add(Scrape(at=now, series=self._series(ensemble, profile, now)))

    def _series(self, ensemble: str, profile: Profile, now: float) -> dict[str, dict[Labels, float]]:
        name, own = ("ensemble", ensemble), self.counters
        plain: Labels = (name,)
        exposed: dict[str, dict[Labels, float]] = {signals.BUSY.series: {(): own.busy_s}}
        if not self.ready(now):
            return exposed
        codes = {"200": own.answered, "429": own.refused}
        counts = range(1, profile.students + 1)
        return exposed | {
            signals.REQUESTS.series: {(("code", code), name): value for code, value in codes.items()},
            signals.TOKENS.series: {plain: own.offered * profile.tokens},
            signals.LATENCY.series: {
                (name, ("le", bound)): value for bound, value in zip(_BOUNDS, own.buckets, strict=True)
            },
            signals.QUEUE.series: {plain: self.waiting * profile.tokens},
            signals.SHED.series: {plain: own.refused},
            signals.ANSWERS.series: {(name, ("students", str(k))): count for k, count in own.by_students.items()},
            signals.CAPACITY.series: {(name, ("students", str(k))): profile.capacity_tokens_per_s(k) for k in counts},
        }
