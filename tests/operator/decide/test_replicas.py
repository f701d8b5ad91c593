"""The promises of the decision on the number of workers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.conditions import Reason
from phalanx_operator.api.parse import parse_pool
from phalanx_operator.api.types import Autoscaling
from phalanx_operator.decide.policy import ReplicasPolicy
from phalanx_operator.decide.replicas import AIM, DOWN_AFTER_S, DOWN_EVERY_S, LACKING, UP_ABOVE, Model, decide_replicas
from phalanx_operator.decide.types import (
    Action,
    DecisionReason,
    EnsembleMetrics,
    Observation,
    ReplicasState,
    StudentsState,
    WorkerView,
)
from tests.operator import objects
from tests.operator.decide.strategies import DIGEST, NOW, broken_numbers

POLICY = ReplicasPolicy(low=1, high=20, up_after_s=30.0, correct_after_s=60.0)
PER_WORKER = {1: 4000.0, 2: 2000.0, 3: 1400.0, 4: 1000.0}
"""Tokens a second of one worker."""
EVERY_S = 10.0
NEW = ReplicasState()


def workers(ready: int, starting: int = 0, message: str = "") -> list[WorkerView]:
    problem = Reason.WORKERS_UNSCHEDULABLE if message else None
    return [
        *(WorkerView(name=f"w{index}", ready=True) for index in range(ready)),
        *(WorkerView(name=f"s{index}", ready=False, problem=problem, message=message) for index in range(starting)),
    ]


def model(
    tokens: float | None,
    *,
    seen: int,
    p99: float | None = 0.01,
    lowered: bool = False,
    used: float | None = None,
    name: str = "a",
) -> Model:
    capacity = {students: tokens_per_s * seen for students, tokens_per_s in PER_WORKER.items()}
    return Model(
        name=name,
        metrics=EnsembleMetrics(tokens_per_s=tokens, p99_s=p99, capacity_tokens_per_s=capacity, students=used),
        fewest=1,
        most=4,
        students=StudentsState(digest=DIGEST, ceiling=2 if lowered else 4, lowered=lowered),
    )


def decide(
    live, models, state=NEW, *, policy=POLICY, ready=None, now=NOW, busy=None, pods=None, problem="", changing=""
):
    """One step with `ready` workers seen; all that run, by default."""
    seen = (live or 0) if ready is None else ready
    return decide_replicas(
        policy=policy,
        live=live,
        workers=workers(seen, (live or 0) - seen) if pods is None else pods,
        models=models,
        observation=Observation(at=now - 1, workers=seen, busy_share=busy, problem=problem),
        state=state,
        now=now,
        changing=changing,
    )


def run(tokens, live, *, seconds, state=NEW, start=NOW, policy=POLICY, starts_in_s=0.0, lowered=False, used=None):
    """Replay `tokens(now)` with workers that become ready `starts_in_s` after they were asked for."""
    ready_at, counts = [-math.inf] * live, []
    for step in range(int(seconds / EVERY_S)):
        now = start + step * EVERY_S
        ready = max(sum(at <= now for at in ready_at), 1)
        models = [model(tokens(now), seen=ready, lowered=lowered, used=used)]
        decision = decide(len(ready_at), models, state, ready=ready, now=now, policy=policy)
        state = decision.state
        ready_at = ready_at[: state.count] + [now + starts_in_s] * (state.count - len(ready_at))
        counts.append(state.count)
    return counts, state


loads = st.floats(0, 30_000)
counts = st.integers(1, 20)


@given(st.integers(0, 10), st.integers(0, 10), st.none() | st.integers(0, 40), loads, st.sampled_from(Autoscaling))
def test_the_number_lies_within_the_bounds(low, more, live, tokens, autoscaling):
    policy = replace(POLICY, low=low, high=low + more, count=7, autoscaling=autoscaling)
    count = decide(live, [model(tokens, seen=max(live or 1, 1))], policy=policy, ready=live or 1).state.count
    if autoscaling is Autoscaling.OFF and live is not None:
        assert count == live
    else:
        assert low <= count <= low + more


@given(counts, loads, st.floats(1, 4), st.booleans())
def test_more_load_never_gives_fewer_workers(live, tokens, times, settled):
    long_ago = NOW - 10 * DOWN_AFTER_S
    state = ReplicasState(since=long_ago, above_since=long_ago) if settled else ReplicasState()
    less, more = (decide(live, [model(tokens * by, seen=live)], state).state.count for by in (1, times))
    assert less <= more


@given(counts, loads, st.sampled_from([0.0, 45.0, 200.0]))
def test_a_constant_load_settles_within_the_aim(live, tokens, starts_in_s):
    seen, _ = run(lambda _: tokens, live, seconds=3600, starts_in_s=starts_in_s)
    moves = [after - before for before, after in itertools.pairwise(seen) if after != before]
    assert all(move > 0 for move in moves) or all(move < 0 for move in moves), "up and down under one load"
    assert len(set(seen[-60:])) == 1, "still moving after fifty minutes"
    share = tokens / PER_WORKER[4] / seen[-1]
    assert share <= UP_ABOVE + 1e-9 or seen[-1] == POLICY.high
    assert seen[-1] == POLICY.low or tokens / PER_WORKER[4] / (seen[-1] - 1) > AIM - 1e-9


@given(counts, st.floats(500, 15_000), st.lists(st.floats(0.93, 1.07), min_size=1, max_size=7))
def test_a_load_that_wobbles_does_not_move_workers_to_and_fro(live, tokens, noise):
    seen, _ = run(lambda now: tokens * noise[int(now / EVERY_S) % len(noise)], live, seconds=7200)
    moves = [after - before for before, after in itertools.pairwise(seen) if after != before]
    turns = sum(first * second < 0 for first, second in itertools.pairwise(moves))
    assert turns <= 1
    assert len(set(seen[-120:])) == 1


@given(counts, st.floats(0, 30_000), st.floats(0, 0.2))
def test_one_step_at_most_doubles_or_adds_four_and_at_most_halves(live, tokens, p99):
    long_ago = NOW - 10 * DOWN_AFTER_S
    state = ReplicasState(since=long_ago, above_since=long_ago)
    count = decide(live, [model(tokens, seen=live, p99=p99)], state).state.count
    assert count <= max(2 * live, live + 4)
    assert count >= live / 2


@pytest.mark.parametrize(
    ("models", "problem", "reason"),
    [
        ([model(100, seen=2)], "Prometheus is away", DecisionReason.METRICS_MISSING),
        ([model(None, seen=2)], "", DecisionReason.METRICS_MISSING),
        ([replace(model(100, seen=2), metrics=None)], "", DecisionReason.METRICS_MISSING),
        ([replace(model(100, seen=2), most=None)], "", DecisionReason.ARTIFACT_UNKNOWN),
        ([model(9000, seen=2, p99=None)], "", DecisionReason.METRICS_MISSING),
        ([model(100, seen=2), replace(model(1, seen=2, name="b"), metrics=None)], "", DecisionReason.METRICS_MISSING),
        (
            [replace(model(100, seen=2), metrics=EnsembleMetrics(tokens_per_s=100.0, p99_s=0.01))],
            "",
            DecisionReason.METRICS_MISSING,
        ),
    ],
)
def test_what_is_not_known_holds_what_runs_and_begins_the_five_minutes_anew(models, problem, reason):
    state = ReplicasState(since=NOW - 1000, peaks=((NOW - 10, 1),))
    step = decide(2, models, state, problem=problem)
    assert (step.action, step.reason, step.state) == (Action.HOLD, reason, ReplicasState(count=2))


@given(broken_numbers(), st.sampled_from(["tokens", "p99", "capacity"]))
def test_senseless_numbers_hold_what_runs(value, where):
    fields = {"tokens_per_s": 9e4, "p99_s": 0.01, "capacity_tokens_per_s": {1: 4000.0, 4: 1000.0}}
    broken = {
        "tokens": {"tokens_per_s": value},
        "p99": {"p99_s": value},
        "capacity": {"capacity_tokens_per_s": {4: value}},
    }
    metrics = EnsembleMetrics(**{**fields, **broken[where]})
    step = decide(2, [replace(model(1, seen=2), metrics=metrics)])
    assert (step.action, step.reason, step.state.count) == (Action.HOLD, DecisionReason.METRICS_INVALID, 2)


def test_a_load_that_lasts_brings_workers_and_a_short_one_brings_none():
    """2,200 tokens/s are 2.2 workers' work: 0.65 of 4 of them, and 1.1 of the 2 that run."""
    short, _ = run(lambda now: 2200.0 if now < NOW + 25 else 500.0, 2, seconds=120)
    assert set(short) == {2}
    lasting, _ = run(lambda _: 2200.0, 2, seconds=60)
    assert (lasting[2], lasting[-1]) == (2, 4)


def test_where_even_the_fewest_students_do_not_keep_up_workers_come_at_once():
    step = decide(2, [model(7500.0, seen=2)])
    assert (step.action, step.reason, step.state.count) == (Action.RAISE, DecisionReason.OVERLOADED, 6)
    assert "from 2 to 6 workers" in step.message


def test_no_more_are_asked_for_while_some_are_not_ready():
    step = decide(6, [model(30_000.0, seen=2)], ready=2)
    assert (step.action, step.reason, step.state.count) == (Action.STAY, DecisionReason.REPLICAS_PENDING, 6)
    stuck = decide(3, [model(9000.0, seen=2)], ready=2, pods=workers(2, 1, "0/4 nodes have a free nvidia.com/gpu"))
    assert "s0: 0/4 nodes have a free nvidia.com/gpu" in stuck.message


@pytest.mark.parametrize(
    ("short", "busy", "said"),
    [
        ({"p99": 0.2}, None, "a misses the objective"),
        ({"lowered": True}, None, "a has students dropped"),
        ({}, 0.99, "busy for 99%"),
    ],
)
def test_workers_that_do_not_keep_up_with_a_load_that_seems_to_fit_get_one_more(short, busy, said):
    state, moved = ReplicasState(), []
    for step in range(8):
        state_before = state
        decision = decide(2, [model(1000.0, seen=2, **short)], state, now=NOW + step * EVERY_S, busy=busy)
        state = decision.state
        if state.count != 2:
            moved.append((step * EVERY_S, decision))
            state = replace(state_before, short_since=None)
    assert [(at, step.state.count, step.reason) for at, step in moved] == [(60.0, 3, DecisionReason.CAPACITY_SHORT)]
    assert said in moved[0][1].message


@given(counts, loads, st.floats(1, 4), st.sampled_from([0.0, 45.0, 200.0]))
def test_students_that_the_workers_keep_dropped_never_bring_more_workers_than_the_aim(live, tokens, used, starts_in_s):
    seen, _ = run(lambda _: tokens, live, seconds=3600, used=used, starts_in_s=starts_in_s)
    moves = [after - before for before, after in itertools.pairwise(seen) if after != before]
    assert all(move > 0 for move in moves) or all(move < 0 for move in moves), "up and down under one load"
    aimed = math.ceil(tokens / PER_WORKER[4] / AIM - 1e-9)
    assert seen[-1] <= max(aimed, POLICY.low), "more than the load is worth"
    if 4 - used > LACKING:
        assert seen[-1] == POLICY.clamped(aimed), "students stay dropped, and a worker that would help is not there"


def test_workers_that_keep_students_dropped_at_a_load_that_fits_get_one_more_that_says_so():
    """0.7 of two workers: below where the load alone brings one, above what two are to bear."""
    seen, _ = run(lambda _: 1400.0, 2, seconds=90, used=2.5)
    assert (seen[5], seen[6], seen[-1]) == (2, 3, 3)
    state = ReplicasState(short_since=NOW - 60)
    assert "keep 1.5 students of a dropped" in decide(2, [model(1400.0, seen=2, used=2.5)], state).message
    assert decide(2, [model(1400.0, seen=2, used=3.6)], state).state.count == 2
    assert decide(2, [model(1200.0, seen=2, used=2.5)], state).state.count == 2


def test_the_most_that_the_spec_allows_is_said_with_the_field_to_change():
    step = decide(20, [model(30_000.0, seen=20)], ReplicasState(above_since=NOW - 100))
    assert (step.action, step.reason) == (Action.STAY, DecisionReason.AT_MAX_REPLICAS)
    assert "spec.replicas.max is 20" in step.message


def test_fewer_run_once_fewer_were_enough_for_five_minutes():
    seen, _ = run(lambda _: 1000.0, 8, seconds=3 * DOWN_AFTER_S)
    first = next(index for index, count in enumerate(seen) if count < 8)
    assert first * EVERY_S == DOWN_AFTER_S
    assert (seen[first], seen[-1]) == (4, 2)
    assert seen.count(4) * EVERY_S == DOWN_EVERY_S


def test_a_peak_within_the_five_minutes_keeps_its_workers():
    seen, _ = run(lambda now: 4000.0 if (now - NOW) % 240 < 60 else 500.0, 7, seconds=3600)
    assert set(seen) == {7}


@pytest.mark.parametrize(("short", "busy"), [({"p99": 0.2}, None), ({"lowered": True}, None), ({}, 0.85)])
def test_none_go_while_those_that_run_have_no_room(short, busy):
    long_ago = NOW - 10 * DOWN_AFTER_S
    step = decide(4, [model(500.0, seen=4, **short)], ReplicasState(since=long_ago), busy=busy)
    assert (step.action, step.state.count) == (Action.STAY, 4)


def test_workers_that_small_batches_keep_busy_go_all_the_same():
    """Half of three workers' capacity is offered: two would be busy for most of the time, and have room."""
    long_ago = NOW - 10 * DOWN_AFTER_S
    policy = replace(POLICY, low=2)
    step = decide(3, [model(1000.0, seen=3)], ReplicasState(since=long_ago), policy=policy, busy=0.69)
    assert (step.action, step.state.count) == (Action.LOWER, 2)


def test_all_ensembles_of_a_pool_share_its_workers():
    state = ReplicasState(above_since=NOW - 100)
    alone = decide(2, [model(1500.0, seen=2)], state)
    together = decide(2, [model(1500.0, seen=2), model(1500.0, seen=2, name="b")], state)
    assert (alone.state.count, together.state.count) == (2, 5)


def test_an_ensemble_that_no_worker_serves_does_not_hold_the_others():
    broken = replace(model(1, seen=2, name="b"), most=None, metrics=None)
    step = decide(2, [model(7500.0, seen=2), broken])
    assert (step.action, step.state.count) == (Action.RAISE, 6)


def test_a_pool_without_models_shrinks_to_its_fewest():
    step = decide(5, [], ReplicasState(since=NOW - 1000), problem="no metrics")
    assert (step.action, step.state.count) == (Action.LOWER, 3)


@given(st.integers(0, 30), st.integers(0, 30))
def test_an_external_count_is_followed_within_the_bounds(live, count):
    policy = replace(POLICY, low=2, high=9, count=count, autoscaling=Autoscaling.EXTERNAL)
    step = decide(live, [model(9e5, seen=max(live, 1))], policy=policy, ready=max(live, 1))
    assert step.state.count == min(max(count, 2), 9)
    assert step.reason is (DecisionReason.REPLICAS_COUNT if 2 <= count <= 9 else DecisionReason.SPEC_BOUNDS)


@given(st.integers(0, 30), loads)
def test_with_autoscaling_off_the_live_number_stays(live, tokens):
    policy = replace(POLICY, count=5, autoscaling=Autoscaling.OFF)
    step = decide(live, [model(tokens, seen=max(live, 1))], policy=policy, ready=max(live, 1))
    assert (step.action, step.reason, step.state.count) == (Action.STAY, DecisionReason.REPLICAS_KEPT, live)
    assert decide(None, [], policy=policy).state.count == 5


def test_a_paused_pool_keeps_its_workers():
    step = decide(2, [model(9e5, seen=2)], policy=replace(POLICY, paused=True))
    assert (step.action, step.reason, step.state.count) == (Action.HOLD, DecisionReason.PAUSED, 2)


def test_a_recommendation_changes_nothing_but_says_what_it_would():
    step = decide(2, [model(7500.0, seen=2)], policy=replace(POLICY, recommend_only=True))
    assert (step.action, step.state.count) == (Action.RAISE, 2)
    assert "not applied" in step.message
    assert "from 2 to 6 workers" in step.message


def test_the_operator_keeps_one_worker_to_read_the_load_from():
    pool = parse_pool(objects.pool(replicas={"min": 0, "max": 4}))
    assert ReplicasPolicy.of(pool).low == 1
    assert ReplicasPolicy.of(replace(pool, autoscaling=Autoscaling.EXTERNAL)).low == 0


@given(st.lists(st.tuples(st.floats(0, 60), loads), min_size=1, max_size=80))
def test_what_is_remembered_stays_small_and_in_order(steps):
    state, now = ReplicasState(), NOW
    for wait, tokens in steps:
        now += wait
        state = decide(5, [model(tokens, seen=5)], state, now=now).state
        times, peaks = [at for at, _ in state.peaks], [count for _, count in state.peaks]
        assert times == sorted(times)
        assert peaks == sorted(peaks, reverse=True)
        assert len(set(peaks)) == len(peaks)
        assert all(now - at <= DOWN_AFTER_S for at in times)


BY_OTHERS = replace(POLICY, low=0, count=2, autoscaling=Autoscaling.EXTERNAL)
IDLE = ReplicasState(since=NOW - 10 * DOWN_AFTER_S)


@pytest.mark.parametrize("policy", [POLICY, BY_OTHERS, replace(POLICY, high=2)])
def test_none_is_taken_away_while_a_worker_changes_its_artifact(policy):
    held = decide(4, [model(10.0, seen=4)], IDLE, policy=policy, changing="gpus-a")
    assert (held.action, held.reason, held.state.count) == (Action.STAY, DecisionReason.WORKERS_CHANGING, 4)
    assert "2 would do" in held.message and "gpus-a" in held.message
    after = decide(4, [model(10.0, seen=4)], held.state, policy=policy)
    assert (after.action, after.state.count) == (Action.LOWER, 2), "nothing that was seen is forgotten"
    none = decide(4, [model(10.0, seen=4)], IDLE, policy=replace(BY_OTHERS, count=0), changing="gpus-a")
    assert none.state.count == 0, "a pool that is wanted no more needs no worker"


@given(counts, loads, st.sampled_from([POLICY, BY_OTHERS]))
def test_a_worker_that_changes_its_artifact_keeps_the_number_from_falling_and_from_nothing_else(live, tokens, policy):
    models = [model(tokens, seen=live)]
    free = decide(live, models, IDLE, policy=policy)
    held = decide(live, models, IDLE, policy=policy, changing="gpus-a")
    assert held.state.count == max(live, free.state.count)
    assert free.state.count < live or held == free
