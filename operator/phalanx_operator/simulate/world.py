"""The pool: workers that come late and go when they are done, and the load between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_contract.plan import Cut
from phalanx_operator.decide.types import Observation
from phalanx_operator.observe.window import Window
from phalanx_operator.simulate.cohort import Cohort
from phalanx_operator.simulate.latency import Spread
from phalanx_operator.simulate.profile import Profile
from phalanx_operator.simulate.served import Served
from phalanx_operator.simulate.watch import observe


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What all policies share. `replicas` are ready at the start; metrics are read once in `interval_s`, over
    `window_s`."""

    profile: Profile
    objective_s: float
    ensemble: str
    replicas: int
    interval_s: float
    window_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Second:
    """What happened to a pool's texts in one second.

    late: answered after the objective.
    student_texts: answered texts, each times the students that answered it.
    differing: answers expected to differ from those of all students.
    waiting: texts in the queues at the end of it.
    live: workers that are paid for; ready: those that take texts.
    """

    arrived: float
    answered: float
    refused: float
    late: float
    student_texts: float
    differing: float
    waiting: float
    live: int
    ready: int
    parts: tuple[tuple[float, Spread], ...]


class World:
    """The workers of one run. `cut` is what they serve now."""

    def __init__(self, scene: Scene, cut: Cut) -> None:
        self._scene = scene
        self.cut = cut
        self._cohorts: list[Cohort] = []
        self._leaving: list[Cohort] = []
        self._start(scene.replicas, ready_at=0.0)

    def __repr__(self) -> str:
        counts = [(cohort.count, cohort.ready_at) for cohort in self._cohorts]
        return f"<World {counts} leaving {len(self._leaving)}>"

    @property
    def live(self) -> int:
        """Workers that there are, ready or not."""
        return sum(cohort.count for cohort in self._cohorts)

    def ready(self, now: float) -> int:
        """Workers that take texts."""
        return sum(cohort.count for cohort in self._cohorts if cohort.ready(now))

    def scale(self, wanted: int, *, now: float) -> None:
        """Start or end workers. As a ReplicaSet does it, those that are not ready go first, then the youngest."""
        if wanted > self.live:
            self._start(wanted - self.live, ready_at=now + self._scene.profile.startup_s)
        surplus = self.live - wanted
        while surplus > 0:
            cohort = self._cohorts[-1]
            leaving = min(surplus, cohort.count)
            cohort.count -= leaving
            surplus -= leaving
            if cohort.waiting > 0:
                self._leaving.append(_split(cohort, leaving))
            if cohort.count == 0:
                self._cohorts.pop()

    def step(self, texts: float, *, now: float) -> Second:
        """The second from `now` on, in which so many texts arrive. Without a ready worker all of them are refused."""
        ready = self.ready(now)
        each = texts / ready if ready else 0.0
        serving = [(cohort, each) for cohort in self._cohorts if cohort.ready(now)]
        leaving = [(cohort, 0.0) for cohort in self._leaving]
        scene = self._scene
        served = [
            (cohort.count, cohort.step(share, self.cut, scene.profile, objective_s=scene.objective_s))
            for cohort, share in serving + leaving
        ]
        live = self.live + sum(cohort.count for cohort in self._leaving)
        self._leaving = [cohort for cohort in self._leaving if cohort.waiting > 0]
        return _summed(texts, served, scene.profile, live=live, ready=ready, lost=0.0 if ready else texts)

    def scrape(self, *, now: float) -> None:
        """Read every worker's metrics."""
        for cohort in self._cohorts:
            cohort.scrape(self._scene.ensemble, self._scene.profile, now)

    def observation(self, *, now: float) -> Observation:
        """What the scrapes say."""
        return observe(self._cohorts, now=now)

    def _start(self, count: int, *, ready_at: float) -> None:
        if count > 0:
            window_s = self._scene.window_s
            window = Window(length_s=window_s, spacing_s=window_s / 20)
            students = self._scene.profile.students
            self._cohorts.append(Cohort(count=count, ready_at=ready_at, students=students, window=window))


def _split(cohort: Cohort, count: int) -> Cohort:
    """Some of a cohort's workers, which take no further texts."""
    return Cohort(
        count=count,
        ready_at=cohort.ready_at,
        students=cohort.students,
        window=cohort.window,
        waiting=cohort.waiting,
        budget=cohort.budget,
    )


def _summed(
    texts: float, served: Sequence[tuple[int, Served]], profile: Profile, *, live: int, ready: int, lost: float
) -> Second:
    """All workers' seconds as one."""
    answers = [(count * one.answered, one) for count, one in served]
    return Second(
        arrived=texts,
        answered=sum(answered for answered, _ in answers),
        refused=lost + sum(count * one.refused for count, one in served),
        late=sum(answered * (1.0 - one.how.in_time) for answered, one in answers),
        student_texts=sum(answered * one.students for answered, one in answers),
        differing=sum(answered * profile.loss(one.students) for answered, one in answers),
        waiting=sum(count * one.waiting for count, one in served),
        live=live,
        ready=ready,
        parts=tuple((answered, one.how.spread) for answered, one in answers if answered > 0),
    )
