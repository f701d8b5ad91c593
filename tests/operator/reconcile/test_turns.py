"""Several ensembles of one pool change their artifacts in workers without room for two."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_operator.decide.types import DecisionReason, ReplicasState, Stage
from tests.operator.reconcile.crowded import DEADLINE_S, Crowd, artifact

NAMES = ("x", "y", "z")
some_pods = st.sampled_from([*([(0, 1, 2, 3)] * 4), (), (0,), (1,), (0, 1), (0, 2), (1, 2, 3)])
changes = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("abcf"), max_size=2)


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What happens around one round: which specs change, which workers read the plan, take a step and are seen, and
    whether the operator looked before all that."""

    specs: dict[str, str]
    reading: tuple[int, ...]
    stepping: tuple[int, ...]
    seen: tuple[int, ...]
    looked_before: bool
    fewer: bool
    told: bool
    deleted: int | None


rarely = st.sampled_from([False, False, False, True])
beats = st.builds(
    Beat,
    specs=st.one_of(st.just({}), st.just({}), st.just({}), changes),
    reading=some_pods,
    stepping=some_pods,
    seen=some_pods,
    looked_before=rarely,
    fewer=rarely,
    told=rarely.map(lambda lost: not lost),
    deleted=st.one_of(st.none(), st.integers(0, 3)),
)


def play(crowd: Crowd, beat: Beat) -> None:
    """One beat; every moment of it is looked at."""
    for name, letter in beat.specs.items():
        if name in crowd.specs:
            crowd.spec(name, artifact(letter))
    before = crowd.views() if beat.looked_before else None
    for moves, which in (("read", beat.reading), ("step", beat.stepping), ("be_seen", beat.seen)):
        for pod in [pod for count, pod in enumerate(crowd.pods) if count in which]:
            getattr(pod, moves)(*([crowd.plan] if moves == "read" else []))
            assert crowd.unserved == []
    crowd.round(before, fewer=beat.fewer, told=beat.told)
    if beat.deleted is not None:
        crowd.delete_one(beat.deleted)
        assert crowd.unserved == []
    crowd.now += 1.0


def calm(crowd: Crowd) -> None:
    """A round of which everybody hears, and all that follows from it."""
    for pod in crowd.pods:
        pod.read(crowd.plan)
        pod.step()
        pod.be_seen()
    crowd.delete_one(0)
    crowd.round()
    crowd.now += 5.0


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.integers(2, 4), st.lists(beats, min_size=15, max_size=40))
def test_every_ensemble_is_served_at_every_moment_and_every_rollout_comes_to_an_end(ensembles, workers, story):
    crowd = Crowd.of(*NAMES[:ensembles], workers=workers)
    for beat in story:
        play(crowd, beat)
    for _ in range(200):
        calm(crowd)
        assert crowd.unserved == []
        if crowd.settled():
            return
    raise AssertionError(f"does not settle: {crowd.states}")


def rolling(*names: str, workers: int = 2) -> Crowd:
    """All of them have a new artifact, for which no worker has room, and nobody was told to go yet."""
    crowd = Crowd.of(*names, workers=workers)
    for name in names:
        crowd.spec(name, artifact("b"))
    crowd.round()
    assert gone(crowd) == {}
    for pod in crowd.pods:
        pod.read(crowd.plan)
    return crowd


def gone(crowd: Crowd) -> dict[str, tuple[str, ...]]:
    """Who was told to go, by ensemble."""
    return {name: state.alone for name, state in crowd.states.items() if state.alone}


def test_in_one_round_one_worker_of_a_pool_is_told_to_go_and_the_next_only_once_it_is_back():
    crowd = rolling("x", "y", workers=3)
    crowd.round()
    assert gone(crowd) == {"x": ("w-0",)}
    first = crowd.pods[0]
    for move in (lambda: first.read(crowd.plan), first.be_seen, first.step, first.step):
        move()
        crowd.round()
        assert gone(crowd) == {"x": ("w-0",)}, "the pod is seen ready last"
    first.be_seen()
    for pod in crowd.pods:
        pod.read(crowd.plan)
    crowd.round()
    assert gone(crowd) == {"x": ("w-0", "w-1")}


def test_what_was_told_and_taken_back_may_still_be_read_so_only_workers_with_the_latest_plan_count():
    crowd = rolling("x", "y")
    crowd.round()
    told = crowd.plan
    crowd.spec("x", artifact("a"))
    for pod in crowd.pods[1:]:
        pod.read(crowd.plan)
    crowd.round()
    assert gone(crowd) == {}, "w-0 still says that it serves all, and may read the plan of before now"
    crowd.pods[0].read(told)
    assert crowd.unserved == []
    for pod in crowd.pods[1:]:
        pod.read(crowd.plan)
    crowd.round()
    assert set(gone(crowd).values()) <= {("w-0",)}


def test_no_worker_goes_that_another_ensemble_cannot_do_without():
    crowd = rolling("x", "y")
    crowd.pods[1].slots["y"].held = None
    crowd.round()
    assert set(gone(crowd).values()) == {("w-1",)}, "y is served by w-0 alone"


def test_workers_that_are_about_to_be_deleted_do_not_count():
    crowd = rolling("x", workers=3)
    crowd.live = 1
    crowd.round()
    assert gone(crowd) == {}, "any two of the three may go"
    crowd.live = 2
    crowd.memory.replicas = ReplicasState(count=2)
    crowd.round()
    assert gone(crowd) == {"x": ("w-0",)}


def test_an_ensemble_that_waits_for_its_turn_loses_none_of_its_deadline_for_it():
    crowd = rolling("x", "y")
    crowd.round()
    crowd.now += DEADLINE_S - 20
    decision = crowd.round()["y"].decision
    assert (decision.reason, decision.state.counted_s) == (DecisionReason.CANDIDATE_WARMING, 0.0)
    assert "wait until w-0 has changed for another one" in decision.message
    for _ in range(20):
        calm(crowd)
    assert {state.stage for state in crowd.states.values()} == {Stage.SERVING}
    assert {state.serving for state in crowd.states.values()} == {artifact("b")}


def test_a_worker_that_is_stuck_on_its_way_keeps_the_others_waiting_for_no_longer_than_its_deadline():
    crowd = rolling("x", "y")
    crowd.round()
    crowd.pods[0].read(crowd.plan)
    crowd.pods[0].be_seen()
    for _ in range(3 * DEADLINE_S):
        crowd.pods[1].read(crowd.plan)
        crowd.round()
        crowd.now += 1.0
    assert [state.stage for state in crowd.states.values()] == [Stage.ROLLED_BACK] * 2


@pytest.mark.parametrize("noticed", [False, True])
def test_no_worker_is_taken_away_while_one_is_on_its_way(noticed):
    crowd = rolling("x", workers=3)
    crowd.round()
    if noticed:
        crowd.pods[0].read(crowd.plan)
    crowd.round(fewer=True)
    assert crowd.live == 3
    for _ in range(20):
        calm(crowd)
    crowd.round(fewer=True)
    assert crowd.live == 2
