"""The promises of the decision on students."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.types import Accuracy, Students
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.students import decide_students
from phalanx_operator.decide.types import (
    Action,
    ArtifactFacts,
    DecisionReason,
    EnsembleMetrics,
    Observation,
    StudentsState,
)
from tests.operator.decide.strategies import DIGEST, FRESH, NOW, broken_numbers, facts, loads

POLICY = CutPolicy(digest=DIGEST, objective_p99_s=0.05, accuracy=Accuracy(loss=0.01, burst_loss=1.0))
FOUR = ArtifactFacts(students=4, rows=2, ramps=1, agreement=(0.9, 0.95, 0.98, 1.0))
CAPACITY = {1: 4000.0, 2: 2000.0, 3: 1400.0, 4: 1000.0}


def at(ceiling: int, *, top: int = 4, changed_at: float | None = None, floor: int = 1) -> StudentsState:
    return StudentsState(digest=DIGEST, floor=floor, ceiling=ceiling, lowered=ceiling < top, changed_at=changed_at)


def load(tokens: float | None, p99: float | None = 0.01, capacity=CAPACITY) -> EnsembleMetrics:
    return EnsembleMetrics(tokens_per_s=tokens, p99_s=p99, capacity_tokens_per_s=capacity)


def decide(state, metrics, *, policy=POLICY, known=FOUR, observation=FRESH, now=NOW, others=0.0):
    return decide_students(
        policy=policy, facts=known, metrics=metrics, observation=observation, state=state, now=now, others=others
    )


@st.composite
def bounds(draw: st.DrawFn) -> Students:
    low = draw(st.integers(1, 8))
    return Students(min=low, max=draw(st.none() | st.integers(low, 8)))


states = st.builds(
    StudentsState,
    digest=st.sampled_from([DIGEST, "", "sha256:" + "b" * 64]),
    floor=st.integers(1, 8),
    ceiling=st.none() | st.integers(1, 8),
    lowered=st.booleans(),
    changed_at=st.none() | st.floats(0, NOW),
)


@given(states, st.none() | loads(), st.none() | facts(), bounds(), st.sampled_from([0.0, 0.03, 0.2]))
def test_the_range_always_lies_within_the_spec(state, metrics, known, students, burst_loss):
    policy = replace(POLICY, students=students, accuracy=Accuracy(loss=0.0, burst_loss=burst_loss))
    after = decide(state, metrics, policy=policy, known=known).state
    assert after.floor >= students.min
    assert after.ceiling is None or after.ceiling >= after.floor
    if students.max is not None:
        assert after.ceiling is not None
        assert after.ceiling <= students.max
    if known is not None and students.min <= known.students:
        assert after.ceiling is not None
        assert after.ceiling <= known.students


@given(st.integers(1, 4), loads(), st.floats(1, 3), st.floats(1, 3), st.none() | st.floats(0, NOW))
def test_more_load_never_gives_more_students(ceiling, metrics, more_tokens, more_latency, changed_at):
    if metrics.p99_s is None:
        heavier = replace(metrics, tokens_per_s=10.0 * more_tokens, p99_s=0.01 * more_latency)
    else:
        heavier = replace(metrics, tokens_per_s=metrics.tokens_per_s * more_tokens, p99_s=metrics.p99_s * more_latency)
    state = at(ceiling, changed_at=changed_at)
    assert decide(state, heavier).state.ceiling <= decide(state, metrics).state.ceiling


@given(
    st.floats(1, 5000),
    st.floats(1.0, 1.9),
    st.floats(0.001, 0.1),
    st.integers(1, 4),
    st.lists(st.floats(0.95, 1.05), min_size=1, max_size=5),
)
def test_constant_load_does_not_move_students_to_and_fro(tokens, cost, base_p99, start, noise):
    """A plant whose latency grows with students and with load; the load wobbles by 5 %."""
    capacity = {k: 4000.0 / cost ** (k - 1) for k in range(1, 5)}
    state, ceilings = at(start), []
    for step in range(60):
        offered = tokens * noise[step % len(noise)]
        share = min(offered / capacity[state.ceiling], 0.99)
        p99 = base_p99 * state.ceiling / (1 - share)
        now = NOW + 40.0 * step
        seen = Observation(at=now, workers=1)
        state = decide(state, load(offered, p99, capacity), observation=seen, now=now).state
        ceilings.append(state.ceiling)
    moves = [after - before for before, after in itertools.pairwise(ceilings) if after != before]
    turns = sum(first != second for first, second in itertools.pairwise(moves))
    assert turns <= 1
    assert len(set(ceilings[-20:])) == 1


@pytest.mark.parametrize(
    ("observation", "metrics", "known", "reason"),
    [
        (Observation(at=None, workers=0), load(1), FOUR, DecisionReason.METRICS_MISSING),
        (Observation(at=NOW, workers=1, problem="Prometheus is away"), load(1), FOUR, DecisionReason.METRICS_MISSING),
        (Observation(at=NOW - 61, workers=1), load(1), FOUR, DecisionReason.METRICS_STALE),
        (Observation(at=float("nan"), workers=1), load(1), FOUR, DecisionReason.METRICS_INVALID),
        (Observation(at=NOW + 3600, workers=1), load(1), FOUR, DecisionReason.METRICS_INVALID),
        (FRESH, None, FOUR, DecisionReason.METRICS_MISSING),
        (FRESH, load(None), FOUR, DecisionReason.METRICS_MISSING),
        (FRESH, load(5.0, None), FOUR, DecisionReason.METRICS_MISSING),
        (FRESH, load(1), None, DecisionReason.ARTIFACT_UNKNOWN),
    ],
)
def test_missing_or_stale_data_hold_what_was_decided(observation, metrics, known, reason):
    state = at(2)
    step = decide(state, metrics, known=known, observation=observation)
    assert (step.action, step.reason, step.state) == (Action.HOLD, reason, state)


@given(broken_numbers(), st.sampled_from(["tokens", "p99", "capacity"]))
def test_senseless_numbers_hold_what_was_decided(value, where):
    metrics = {
        "tokens": load(value),
        "p99": load(10.0, value),
        "capacity": load(10.0, 0.01, CAPACITY | {3: value}),
    }[where]
    step = decide(at(2), metrics)
    assert (step.action, step.reason, step.state) == (Action.HOLD, DecisionReason.METRICS_INVALID, at(2))


@pytest.mark.parametrize(("tokens", "others", "students"), [(1300.0, 0.0, 2), (2000.0, 0.0, 1), (1000.0, 0.3, 2)])
def test_too_many_tokens_drop_as_many_students_as_it_takes_at_once(tokens, others, students):
    step = decide(at(4, changed_at=NOW - 1), load(tokens), others=others)
    assert (step.action, step.reason, step.state.ceiling) == (Action.LOWER, DecisionReason.OVERLOADED, students)


def test_too_many_tokens_drop_a_student_at_once():
    step = decide(at(4, changed_at=NOW - 1), load(950.0))
    assert (step.action, step.reason, step.state.ceiling) == (Action.LOWER, DecisionReason.OVERLOADED, 3)
    assert "950 tokens/s" in step.message


def test_a_missed_objective_drops_a_student_once_the_last_change_shows():
    early = decide(at(3, changed_at=NOW - 1), load(10.0, 0.2))
    assert (early.action, early.reason) == (Action.STAY, DecisionReason.COOLING_DOWN)
    step = decide(at(3, changed_at=NOW - 25), load(10.0, 0.2))
    assert (step.action, step.reason, step.state.ceiling) == (Action.LOWER, DecisionReason.OBJECTIVE_MISSED, 2)


def test_students_come_back_two_at_a_time_at_most_after_the_cool_down():
    early = decide(at(1, changed_at=NOW - 29), load(100.0))
    assert (early.action, early.reason) == (Action.STAY, DecisionReason.COOLING_DOWN)
    step = decide(at(1, changed_at=NOW - 30), load(100.0))
    assert (step.action, step.reason, step.state.ceiling) == (Action.RAISE, DecisionReason.HEADROOM, 3)
    assert step.state.lowered
    last = decide(at(3), load(100.0))
    assert (last.state.ceiling, last.state.lowered) == (4, False)


def test_only_as_many_students_come_back_as_have_room():
    assert decide(at(2), load(750.0)).state.ceiling == 3
    assert decide(at(1), load(750.0), others=0.2).state.ceiling == 2


def test_more_workers_bring_a_number_back_that_missed_the_objective():
    missed = decide(at(3), load(100.0, 0.2)).state
    old = replace(missed, changed_at=NOW - 100, missed=replace(missed.missed, at=NOW - 100))
    assert decide(old, load(100.0)).action is Action.STAY
    assert decide(old, load(100.0), observation=replace(FRESH, workers=2)).action is Action.RAISE


def test_an_idle_ensemble_gets_its_students_back_without_a_p99():
    assert decide(at(1), load(0.0, None, {})).action is Action.RAISE


def test_a_number_that_missed_the_objective_waits_for_less_load():
    missed = decide(at(3), load(100.0, 0.2)).state
    old = replace(missed, changed_at=NOW - 100, missed=replace(missed.missed, at=NOW - 100))
    assert decide(old, load(90.0)).reason is DecisionReason.WITHIN_OBJECTIVE
    assert decide(old, load(69.0)).action is Action.RAISE


def test_at_the_floor_nothing_is_dropped_and_the_reason_says_so():
    step = decide(at(1), load(1e6))
    assert (step.action, step.reason, step.state.ceiling) == (Action.STAY, DecisionReason.AT_FLOOR, 1)


def test_the_floor_keeps_the_burst_budget():
    policy = replace(POLICY, accuracy=Accuracy(loss=0.0, burst_loss=0.05))
    assert decide(StudentsState(), load(10.0), policy=policy).state.floor == 2


def test_a_wider_spec_counts_at_once_even_without_metrics():
    narrow = replace(POLICY, students=Students(min=1, max=2))
    state = decide(StudentsState(), None, policy=narrow, observation=Observation(at=None, workers=0)).state
    assert state.ceiling == 2
    wide = replace(POLICY, students=Students(min=1, max=4))
    step = decide(state, None, policy=wide, observation=Observation(at=None, workers=0))
    assert (step.action, step.reason, step.state.ceiling) == (Action.RAISE, DecisionReason.SPEC_BOUNDS, 4)


def test_a_new_artifact_starts_with_all_of_its_students():
    state = replace(at(1), digest="sha256:" + "b" * 64)
    assert decide(state, load(10.0)).state == StudentsState(digest=DIGEST, floor=1, ceiling=4)


def test_what_was_known_of_an_artifact_outlives_its_workers():
    strict = replace(POLICY, accuracy=Accuracy(loss=0.0, burst_loss=0.05))
    known = decide(StudentsState(), load(10.0), policy=strict).state
    assert decide(known, None, policy=strict, known=None).state.floor == known.floor == 2


def test_a_paused_pool_is_left_alone():
    state = StudentsState(digest="old", floor=9, ceiling=9)
    step = decide(state, load(1e6), policy=replace(POLICY, paused=True))
    assert (step.action, step.reason, step.state) == (Action.HOLD, DecisionReason.PAUSED, state)


def test_a_recommendation_changes_nothing():
    step = decide(at(4), load(1e6), policy=replace(POLICY, recommend_only=True))
    assert (step.action, step.state) == (Action.LOWER, at(4))
    assert "not applied" in step.message


def test_a_number_that_missed_an_objective_is_tried_again_when_the_objective_is_relaxed():
    lowered = decide(at(4), load(100.0, p99=0.2))
    assert lowered.reason is DecisionReason.OBJECTIVE_MISSED
    later = NOW + 10 * POLICY.cool_down_s
    fresh = replace(FRESH, at=later)
    same = decide(lowered.state, load(100.0), now=later, observation=fresh)
    assert same.action is Action.STAY
    relaxed = decide(
        lowered.state, load(100.0), policy=replace(POLICY, objective_p99_s=1.0), now=later, observation=fresh
    )
    assert relaxed.action is Action.RAISE


def later(seconds: float) -> dict[str, object]:
    """Fresh metrics at another time."""
    return {"now": NOW + seconds, "observation": replace(FRESH, at=NOW + seconds)}


def test_a_burst_that_the_mean_shows_late_does_not_keep_students_away_in_the_calm_after_it():
    missed = decide(at(4), load(400.0, p99=0.08)).state
    assert missed.ceiling == 3
    burst = decide(missed, load(1200.0, p99=0.08), **later(5)).state
    calm = decide(burst, load(400.0, p99=0.01), **later(100))
    assert (calm.action, calm.state.ceiling) == (Action.RAISE, 4)


def test_load_that_rises_long_after_a_miss_is_not_blamed_for_it():
    missed = decide(at(4), load(400.0, p99=0.08)).state
    state = decide(missed, load(1000.0, p99=0.045), **later(2 * POLICY.cool_down_s)).state
    assert state.missed == missed.missed
