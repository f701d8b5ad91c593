"""A trace through a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from phalanx_contract.plan import Cut
from phalanx_operator.simulate.policies.policy import Orders, Policy, Seen, Told
from phalanx_operator.simulate.score import Score, score
from phalanx_operator.simulate.slices import Slice, slice_of
from phalanx_operator.simulate.trace import Trace
from phalanx_operator.simulate.world import Scene, Second, World

DELIVERY_S: Final = 2.0
"""From a decision on the cut until the workers serve it: the kubelet's sync, and the worker's look at its files."""
POINTS: Final = 720
"""Slices of a run: as many as a picture can show."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A decision that changed something, `at_s` into the trace."""

    at_s: int
    told: Told


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a policy made of a trace. `wanted` has the workers that it asked for, by second."""

    trace: Trace
    policy: str
    scene: Scene
    score: Score
    slices: tuple[Slice, ...]
    events: tuple[Event, ...]
    wanted: tuple[int, ...]


@dataclass(slots=True)
class _Log:
    """What is remembered of a run."""

    slice_s: int
    seconds: list[Second] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    ceilings: list[int] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add(self, second: Second, *, wanted: int, ceiling: int, last: bool) -> None:
        """One more second. Latencies are let go once their slice is told: a day has millions of pieces."""
        self.seconds.append(second)
        self.wanted.append(wanted)
        self.ceilings.append(ceiling)
        if last or len(self.seconds) % self.slice_s == 0:
            first = len(self.slices) * self.slice_s
            self.slices.append(slice_of(first, self.seconds[first:], self.wanted[first:], self.ceilings[first:]))
            self.seconds[first:] = [replace(each, parts=()) for each in self.seconds[first:]]


def replay(trace: Trace, policy: Policy, scene: Scene, *, watch: Callable[[int], None] | None = None) -> Run:
    """Run a trace to its end; `watch` is told each second that is done. The policy must be a new one."""
    world, wanted = World(scene, policy.first_cut), scene.replicas
    coming: list[tuple[float, Cut]] = []
    log = _Log(slice_s=max(trace.seconds // POINTS, 1))
    read_at, ask_at = 0.0, 0.0
    for place, texts in enumerate(trace.texts):
        now = float(place)
        if now >= read_at:
            world.scrape(now=now)
            read_at += scene.interval_s
        if now >= ask_at:
            observe = partial(world.observation, now=now)
            orders = policy.decide(Seen(observe=observe, live=world.live, ready=world.ready(now)), now=now)
            _note(log, orders, place, before=wanted, cut=coming[-1][1] if coming else world.cut)
            coming.append((now + DELIVERY_S, orders.cut))
            wanted, ask_at = orders.replicas, ask_at + policy.interval_s
            world.scale(wanted, now=now)
        while coming and coming[0][0] <= now:
            world.cut = coming.pop(0)[1]
        ceiling = world.cut.students_ceiling or scene.profile.students
        log.add(world.step(texts, now=now), wanted=wanted, ceiling=ceiling, last=place + 1 == trace.seconds)
        if watch is not None:
            watch(place)
    return Run(
        trace=trace,
        policy=policy.name,
        scene=scene,
        score=score(log.seconds, log.wanted, log.ceilings),
        slices=tuple(log.slices),
        events=tuple(log.events),
        wanted=tuple(log.wanted),
    )


def _note(log: _Log, orders: Orders, place: int, *, before: int, cut: Cut) -> None:
    """Remember the decisions that changed something."""
    changed = {"workers": orders.replicas != before, "students": orders.cut != cut}
    log.events += [Event(at_s=place, told=told) for told in orders.told if changed[told.about]]
