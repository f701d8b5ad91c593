"""The promises of the decision on thresholds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.types import Accuracy, Exits, ExitsMode
from phalanx_operator.decide.exits import decide_exits
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.types import (
    Action,
    ArtifactFacts,
    DecisionReason,
    EnsembleMetrics,
    ExitsState,
    Observation,
    RampHistogram,
    StudentsState,
)
from tests.operator.decide.strategies import DIGEST, FRESH, NOW, broken_numbers, windows

FACTS = ArtifactFacts(students=4, rows=6, ramps=5, agreement=(0.98, 0.99, 0.995, 1.0))
AUTO = CutPolicy(digest=DIGEST, exits=Exits(mode=ExitsMode.AUTO), accuracy=Accuracy(loss=0.01, burst_loss=0.03))
ALL_STUDENTS = StudentsState(digest=DIGEST, floor=1, ceiling=4)
START = ExitsState(digest=DIGEST)


def decide(state, ramps, *, policy=AUTO, known=FACTS, students=ALL_STUDENTS, observation=FRESH, now=NOW):
    metrics = EnsembleMetrics(ramps=tuple(ramps))
    return decide_exits(
        policy=policy,
        facts=known,
        metrics=metrics,
        observation=observation,
        state=state,
        students=students,
        now=now,
    )


def ramp(row: int, *, texts: float = 10_000, wrong: float = 0, exits: float = 0.5) -> RampHistogram:
    """Half of the texts are below 0.1 by default; `wrong` of all differ, in proportion."""
    shares = (exits / 2, exits, 1.0)
    return RampHistogram(
        row=row,
        bounds=(0.05, 0.1, 1.0),
        agrees=tuple((texts - wrong) * share for share in shares),
        differs=tuple(wrong * share for share in shares),
    )


def changed_share(ramps, thresholds) -> float:
    """What the histograms say of exits: texts at or below each threshold that differ, added up over the ramps."""
    wrong = 0.0
    for each in ramps:
        threshold = thresholds[each.row] if each.row < len(thresholds) else 0.0
        below = [d for bound, d in zip(each.bounds, each.differs, strict=True) if bound <= threshold]
        wrong += below[-1] / (each.agrees[-1] + each.differs[-1]) if below else 0.0
    return wrong


@st.composite
def thresholds_in_force(draw: st.DrawFn) -> tuple[float, ...]:
    return tuple(draw(st.lists(st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0]), max_size=5)))


@given(windows(), thresholds_in_force(), st.floats(0, 0.2), st.none() | st.floats(0, NOW))
def test_the_histograms_never_show_more_than_the_accuracy_budget(ramps, before, loss, raised_at):
    policy = replace(AUTO, accuracy=Accuracy(loss=loss, burst_loss=1.0))
    state = replace(START, thresholds=before, raised_at=raised_at)
    after = decide(state, ramps, policy=policy).state.thresholds
    assert changed_share(ramps, after) <= loss


@given(windows(largest=400), thresholds_in_force())
def test_ramps_with_few_texts_never_exit(ramps, before):
    few = {each.row for each in ramps if each.agrees[-1] + each.differs[-1] < 500}
    after = decide(replace(START, thresholds=before), ramps).state.thresholds
    assert all(threshold == 0 for row, threshold in enumerate(after) if row in few)


@given(windows(), thresholds_in_force())
def test_a_ramp_without_a_histogram_never_exits(ramps, before):
    seen = {each.row for each in ramps}
    after = decide(replace(START, thresholds=before), ramps).state.thresholds
    assert all(threshold == 0 for row, threshold in enumerate(after) if row not in seen)


@given(windows(), thresholds_in_force())
def test_thresholds_rise_by_one_bucket_at_most(ramps, before):
    after = decide(replace(START, thresholds=before), ramps).state.thresholds
    for each in ramps:
        old = before[each.row] if each.row < len(before) else 0.0
        new = after[each.row] if each.row < len(after) else 0.0
        assert sum(old < bound <= new for bound in each.bounds) <= 1


@given(windows())
def test_on_a_constant_window_thresholds_rise_and_then_stay(ramps):
    state, seen = START, []
    for step in range(40):
        now = NOW + 40.0 * step
        state = decide(state, ramps, observation=Observation(at=now, workers=1), now=now).state
        seen.append(state.thresholds)
    padded = [thresholds + (0.0,) * (5 - len(thresholds)) for thresholds in seen]
    assert all(a <= b for old, new in itertools.pairwise(padded) for a, b in zip(old, new, strict=True))
    assert seen[-1] == seen[-2]


@given(broken_numbers(), st.sampled_from(["bounds", "agrees", "differs"]))
def test_senseless_histograms_hold_what_was_decided(value, where):
    state = replace(START, thresholds=(0.05,))
    step = decide(state, [replace(ramp(0), **{where: (0.1, value, 1.0)})])
    assert (step.action, step.reason, step.state) == (Action.HOLD, DecisionReason.METRICS_INVALID, state)


@pytest.mark.parametrize(
    ("observation", "known", "reason"),
    [
        (Observation(at=None, workers=0), FACTS, DecisionReason.METRICS_MISSING),
        (Observation(at=NOW - 100, workers=1), FACTS, DecisionReason.METRICS_STALE),
        (replace(FRESH, ramps_problem="a store is down"), FACTS, DecisionReason.METRICS_MISSING),
        (FRESH, None, DecisionReason.ARTIFACT_UNKNOWN),
    ],
)
def test_missing_or_stale_data_hold_what_was_decided(observation, known, reason):
    state = replace(START, thresholds=(0.05,))
    step = decide(state, [ramp(0)], observation=observation, known=known)
    assert (step.action, step.reason, step.state) == (Action.HOLD, reason, state)


def test_a_sure_ramp_exits_and_says_what_it_costs():
    step = decide(START, [ramp(0)])
    assert (step.action, step.reason, step.state.thresholds) == (
        Action.RAISE,
        DecisionReason.EXITS_WITHIN_BUDGET,
        (0.05,),
    )
    assert "1.00% may" in step.message


def test_a_raise_waits_for_the_cool_down():
    state = ExitsState(digest=DIGEST, thresholds=(0.05,), raised_at=NOW - 10)
    assert decide(state, [ramp(0)]).reason is DecisionReason.COOLING_DOWN
    assert decide(replace(state, raised_at=NOW - 30), [ramp(0)]).state.thresholds == (0.1,)


def test_thresholds_over_the_budget_fall_at_once():
    state = ExitsState(digest=DIGEST, thresholds=(0.1,), raised_at=NOW - 1)
    step = decide(state, [ramp(0, wrong=5000)])
    assert (step.action, step.reason, step.state.thresholds) == (Action.LOWER, DecisionReason.EXITS_OVER_BUDGET, ())


def test_dropped_students_leave_less_for_exits():
    lowered = replace(ALL_STUDENTS, ceiling=1, lowered=True)
    strict = replace(AUTO, accuracy=Accuracy(loss=0.01, burst_loss=0.02))
    assert decide(START, [ramp(0)], policy=strict, students=lowered).state.thresholds == ()
    assert decide(START, [ramp(0)], students=lowered).state.thresholds == (0.05,)


def test_too_few_texts_take_thresholds_back():
    step = decide(replace(START, thresholds=(0.1,)), [ramp(0, texts=499)])
    assert (step.action, step.reason, step.state.thresholds) == (
        Action.LOWER,
        DecisionReason.EXITS_TOO_FEW_SAMPLES,
        (),
    )


def test_off_and_fixed_follow_the_spec_without_metrics():
    nothing = Observation(at=None, workers=0)
    fixed = replace(AUTO, exits=Exits(mode=ExitsMode.FIXED, thresholds=(0.0, 0.2)))
    step = decide(START, [], policy=fixed, observation=nothing, known=None)
    assert (step.reason, step.state.thresholds) == (DecisionReason.EXITS_FIXED, (0.0, 0.2))
    off = replace(AUTO, exits=Exits())
    step = decide(step.state, [], policy=off, observation=nothing, known=None)
    assert (step.action, step.reason, step.state.thresholds) == (Action.LOWER, DecisionReason.EXITS_OFF, ())


def test_thresholds_of_an_older_artifact_are_dropped_even_without_metrics():
    state = ExitsState(digest="sha256:" + "b" * 64, thresholds=(0.5,))
    assert decide(state, [], observation=Observation(at=None, workers=0)).state == START


def test_a_recommendation_changes_nothing():
    step = decide(START, [ramp(0)], policy=replace(AUTO, recommend_only=True))
    assert (step.action, step.state) == (Action.RAISE, START)
