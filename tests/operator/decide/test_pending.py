"""Workers that never become ready: they are waited for, and then more are asked for in their place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.conditions import Reason
from phalanx_operator.decide.pending import AT_LEAST, PENDING_S
from phalanx_operator.decide.replicas import AIM, DOWN_AFTER_S, UP_ABOVE
from phalanx_operator.decide.types import Action, Decision, DecisionReason, ReplicasState, WorkerView
from tests.operator.decide.strategies import NOW
from tests.operator.decide.test_replicas import EVERY_S, PER_WORKER, POLICY, decide, model

NEVER = math.inf
UNPLACED = {"problem": Reason.WORKERS_UNSCHEDULABLE, "message": "0/4 nodes have a free nvidia.com/gpu"}


def pods(ready: int, *others: WorkerView) -> list[WorkerView]:
    return [*(WorkerView(name=f"w{index}", ready=True) for index in range(ready)), *others]


DEAD = WorkerView(name="dead", ready=False)
PULLING = WorkerView(
    name="puller", ready=False, problem=Reason.IMAGE_NOT_PULLED, message="image w:2 cannot be pulled: 429"
)
LOST = WorkerView(name="lost", ready=False, **UNPLACED)


@dataclass
class Pool:
    """Pods by name with the time at which each is ready. The controller removes those first that are not."""

    ready_at: dict[str, float]
    comes_at: Callable[[float], float]
    placed: bool = True
    state: ReplicasState = field(default_factory=ReplicasState)
    now: float = NOW
    counts: list[int] = field(default_factory=list)

    def step(self, tokens: float) -> Decision[ReplicasState]:
        problem = {} if self.placed else UNPLACED
        seen = [
            WorkerView(name=name, ready=at <= self.now, **({} if at <= self.now else problem))
            for name, at in self.ready_at.items()
        ]
        ready = sum(each.ready for each in seen)
        models = [model(tokens, seen=ready)]
        decision = decide(len(seen), models, self.state, ready=ready, now=self.now, pods=seen)
        self._scaled(decision.state.count)
        self.state, self.now = decision.state, self.now + EVERY_S
        self.counts.append(decision.state.count)
        return decision

    def _scaled(self, count: int) -> None:
        by_readiness = sorted(self.ready_at, key=lambda name: self.ready_at[name])
        kept = set(by_readiness[:count])
        self.ready_at = {name: at for name, at in self.ready_at.items() if name in kept}
        for number in range(count - len(self.ready_at)):
            self.ready_at[f"p{self.now:g}-{number}"] = self.comes_at(self.now)

    @property
    def ready(self) -> int:
        return sum(at <= self.now for at in self.ready_at.values())

    @property
    def moves(self) -> list[int]:
        return [after - before for before, after in itertools.pairwise(self.counts) if after != before]


def pool(ready: int, *, dead: int, comes_in_s: float = 60.0, placed: bool = True) -> Pool:
    ready_at = {f"w{index}": -NEVER for index in range(ready)} | {f"d{index}": NEVER for index in range(dead)}
    return Pool(ready_at, comes_at=lambda now: now + comes_in_s, placed=placed, counts=[ready + dead])


loads = st.floats(0, 15_000)


@given(st.integers(1, 8), st.integers(1, AT_LEAST), loads, st.sampled_from([0.0, 60.0, 200.0]))
def test_a_pool_with_dead_workers_ends_with_enough_that_are_ready_and_does_not_flap(ready, dead, tokens, comes_in_s):
    scene = pool(ready, dead=dead, comes_in_s=comes_in_s)
    for _ in range(int(7200 / EVERY_S)):
        scene.step(tokens)
    assert tokens / PER_WORKER[4] <= UP_ABOVE * scene.ready + 1e-9 or scene.counts[-1] == POLICY.high
    assert all(POLICY.low <= count <= POLICY.high for count in scene.counts)
    assert all(move > 0 for move in scene.moves) or all(move < 0 for move in scene.moves), "up and down under one load"
    assert len(set(scene.counts[-120:])) == 1, "still moving after more than an hour and a half"


@given(st.integers(1, 8), st.integers(0, 3), loads)
def test_where_none_becomes_ready_more_are_asked_for_no_sooner_than_the_time_they_have(ready, dead, tokens):
    scene = pool(ready, dead=dead, comes_in_s=NEVER)
    raised = []
    for _ in range(int(3600 / EVERY_S)):
        if scene.step(tokens).action is Action.RAISE:
            raised.append(scene.now)
    assert all(after - before >= PENDING_S for before, after in itertools.pairwise(raised))
    needed = math.ceil(tokens / PER_WORKER[4] / AIM - 1e-9)
    assert max(scene.counts) <= max(ready + dead, needed + max(ready, AT_LEAST)), "a fault of them all"


@given(st.integers(1, 8), st.integers(0, 3), loads)
def test_where_no_node_takes_any_no_more_are_asked_for_than_the_load_needs(ready, lost, tokens):
    scene = pool(ready, dead=lost, comes_in_s=NEVER, placed=False)
    for _ in range(int(3600 / EVERY_S)):
        scene.step(tokens)
    assert max(scene.counts) <= max(ready + lost, math.ceil(tokens / PER_WORKER[4] / AIM - 1e-9))


@given(st.integers(1, 20), st.integers(1, 4), loads, st.floats(1, 4))
def test_more_load_never_gives_fewer_workers_beside_dead_ones(ready, dead, tokens, times):
    state = ReplicasState(pending_since=NOW - PENDING_S, since=NOW - 3600, above_since=NOW - 3600)
    seen = pods(ready, *(replace(DEAD, name=f"d{index}") for index in range(dead)))
    less, more = (
        decide(ready + dead, [model(tokens * by, seen=ready)], state, ready=ready, pods=seen).state.count
        for by in (1, times)
    )
    assert less <= more


@pytest.mark.parametrize("pod", [DEAD, PULLING], ids=["dead", "no image"])
def test_a_worker_that_does_not_come_keeps_others_from_being_asked_for_only_for_a_time(pod):
    """3,600 tokens a second are 3.6 workers' work: too much for the four that are ready, not for five."""
    asked = {"ready": 4, "pods": pods(4, pod)}
    waits = decide(5, [model(3600.0, seen=4)], **asked)
    assert waits.state.pending_since == NOW
    urgent = decide(5, [model(30_000.0, seen=4)], waits.state, **asked, now=NOW + PENDING_S - 1)
    assert (urgent.action, urgent.reason) == (Action.STAY, DecisionReason.REPLICAS_PENDING)
    state = replace(urgent.state, above_since=NOW)
    late = decide(5, [model(3600.0, seen=4)], state, **asked, now=NOW + PENDING_S)
    assert (late.action, late.reason, late.state.count) == (Action.RAISE, DecisionReason.OVERLOADED, 7)
    assert f"5 run; 1 of them, such as {pod.name}, did not become ready in 240 s" in late.message
    assert pod.message in late.message and "from 5 to 7 workers" in late.message
    assert late.state.pending_since == NOW + PENDING_S, "those that were asked for now have as long"


@pytest.mark.parametrize("seen", [pods(4, LOST), pods(4)], ids=["no node takes it", "it cannot be created"])
def test_no_further_worker_is_asked_for_in_place_of_one_that_there_is_no_room_for(seen):
    state = ReplicasState(pending_since=NOW - PENDING_S, above_since=NOW - PENDING_S)
    for short in ({}, {"p99": 1.0}):
        step = decide(5, [model(3600.0, seen=4, **short)], replace(state, short_since=None), ready=4, pods=seen)
        assert (step.action, step.state.count, step.state.short_since) == (Action.STAY, 5, None)
    more = decide(5, [model(6000.0, seen=4)], state, ready=4, pods=seen)
    assert (more.action, more.state.count) == (Action.RAISE, 10), "but what the load needs is asked for"


def test_once_all_are_ready_the_next_that_does_not_come_has_its_time_anew():
    state = ReplicasState(pending_since=NOW - 100)
    assert decide(5, [model(100.0, seen=5)], state).state.pending_since is None
    held = decide(5, [model(100.0, seen=4)], state, ready=4, pods=pods(4, DEAD), problem="Prometheus is away")
    assert held.state == ReplicasState(count=5, pending_since=NOW - 100), "a gap in the metrics is none of the pods"


def test_the_place_of_an_absent_worker_is_remembered_while_another_starts():
    assert PENDING_S < DOWN_AFTER_S
