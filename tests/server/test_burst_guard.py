"""What the burst guard promises for any demand, and what its estimate of arrivals does."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_server.batching.arrivals import NONE, Arrivals, Between
from phalanx_server.batching.burst import Bounds, BurstPolicy, BurstState, Demand, Setback, pick_students
from phalanx_server.batching.capacity import Capacity, Cost

costs = st.builds(Cost, fixed_s=st.floats(1e-6, 0.1), tokens_per_s=st.floats(10, 1e6))
capacities = st.builds(Capacity, st.lists(costs, min_size=1, max_size=8).map(tuple), st.integers(64, 4096))
between = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(lambda pair: Between(min(pair), max(pair)))
loads = st.tuples(st.floats(0, 2), st.floats(0, 2)).map(lambda pair: Between(min(pair), max(pair)))
demands = st.builds(
    Demand, tokens=st.integers(1, 10**6), offered=between, before=st.floats(0, 1e6), others_s=st.floats(0, 10),
    others_load=loads, others_before=st.floats(0, 2),
)  # fmt: skip
policies = st.builds(
    BurstPolicy,
    objective_s=st.floats(0.001, 10),
    batch_s=st.floats(0.0001, 1),
    share=st.floats(0.1, 1),
    drop_share=st.floats(0.1, 1),
    raise_share=st.floats(0.1, 1),
    raise_load=st.floats(0.1, 1),
    raise_after_s=st.floats(0, 10),
)
bounds = st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda pair: Bounds(floor=min(pair), ceiling=max(pair)))
setbacks = st.none() | st.builds(Setback, offered=st.floats(0, 1e6), hold_s=st.floats(0, 10), tried=st.booleans())
states = st.none() | st.builds(
    BurstState, students=st.integers(1, 8), at_s=st.floats(0, 100), calm_s=st.floats(0, 100), setback=setbacks
)
times = st.floats(0, 1000)

FOUR = Capacity(tuple(Cost(fixed_s=0.002, tokens_per_s=8000 / k) for k in range(1, 5)), batch_tokens=1024)
POLICY = BurstPolicy(objective_s=0.15, batch_s=0.045)
ALL = Bounds(floor=1, ceiling=4)


def sure(rate: float) -> Between:
    return Between(rate, rate)


@given(states, demands, bounds, capacities, policies, times)
def test_students_stay_within_the_plans_bounds(
    state: BurstState | None, demand: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> None:
    after = pick_students(state, demand, bound, capacity=capacity, policy=policy, now_s=now_s)
    assert bound.floor <= after.students <= bound.ceiling


@given(states, demands, demands, bounds, capacities, policies, times)
def test_a_larger_demand_never_gets_more_students(
    state: BurstState | None, demand: Demand, more: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy,
    now_s: float,
) -> None:  # fmt: skip
    larger = Demand(
        tokens=demand.tokens + more.tokens,
        offered=demand.offered + more.offered,
        before=demand.before + more.before,
        others_s=demand.others_s + more.others_s,
        others_load=demand.others_load + more.others_load,
        others_before=demand.others_before + more.others_before,
    )
    few = pick_students(state, larger, bound, capacity=capacity, policy=policy, now_s=now_s)
    many = pick_students(state, demand, bound, capacity=capacity, policy=policy, now_s=now_s)
    assert few.students <= many.students


@given(states, demands, bounds, capacities, policies, times)
def test_more_students_than_the_floor_meet_the_objective_and_the_arrivals(
    state: BurstState | None, demand: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> None:
    alike = replace(capacity, costs=capacity.costs[:1])
    after = pick_students(state, demand, bound, capacity=alike, policy=policy, now_s=now_s)
    if after.students > bound.floor:
        assert demand.others_s + alike.drain_s(students=1, tokens=demand.tokens) <= policy.objective_s * policy.share
        assert demand.others_load.low + demand.offered.low / alike.tokens_per_s(1) <= 1


@given(demands, bounds, capacities, policies, times)
def test_a_drop_goes_to_the_most_students_that_would_do(
    demand: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> None:
    policy = replace(policy, drop_share=1.0)
    most = pick_students(None, demand, bound, capacity=capacity, policy=policy, now_s=now_s).students
    for ceiling in range(most, bound.ceiling + 1):
        fewer = Bounds(floor=bound.floor, ceiling=ceiling)
        assert pick_students(None, demand, fewer, capacity=capacity, policy=policy, now_s=now_s).students == most


@given(demands, bounds, capacities, policies, times)
def test_a_drop_in_an_overload_goes_as_deep_or_deeper_and_the_deeper_the_more_there_were(
    demand: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> None:
    def picked(ceiling: int, policy: BurstPolicy) -> int:
        fewer = Bounds(floor=bound.floor, ceiling=ceiling)
        return pick_students(None, demand, fewer, capacity=capacity, policy=policy, now_s=now_s).students

    most, deepest = picked(bound.ceiling, replace(policy, drop_share=1.0)), picked(bound.ceiling, policy)
    assert bound.floor <= deepest <= most
    for ceiling in range(deepest, bound.ceiling + 1):
        assert deepest <= picked(ceiling, policy) <= ceiling


def test_the_running_batch_the_queue_and_the_own_batch_share_the_objective() -> None:
    """With four students, 220 tokens take 120 ms in three batches, and what comes meanwhile a fourth of 30 ms."""
    quiet, busy = Demand(tokens=220), Demand(tokens=220, offered=sure(500))
    assert pick_students(None, quiet, ALL, capacity=FOUR, policy=POLICY, now_s=0).students == 4
    assert pick_students(None, busy, ALL, capacity=FOUR, policy=POLICY, now_s=0).students < 4


def test_arrivals_beyond_capacity_drop_students_before_a_queue_has_grown() -> None:
    for rate, students in ((1500, 4), (2400, 3), (3600, 2), (9000, 1)):
        demand = Demand(tokens=10, offered=sure(rate))
        assert pick_students(None, demand, ALL, capacity=FOUR, policy=POLICY, now_s=0).students == students


def test_an_empty_queue_is_not_enough_for_a_student_to_come_back() -> None:
    state = BurstState(students=1, at_s=0.0)
    for rate, students in ((3500, 1), (2500, 2)):
        demand = Demand(tokens=1, offered=sure(rate))
        after = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=100)
        assert after.students == students


def test_what_others_need_of_the_device_counts() -> None:
    state = BurstState(students=1, at_s=0.0)
    for others, students in ((0.7, 1), (0.1, 2)):
        demand = Demand(tokens=1, offered=sure(1000), others_load=sure(others))
        after = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=0.8 * POLICY.raise_after_s)
        assert after.students == students


@given(demands, bounds, capacities, policies, times)
def test_a_student_that_comes_back_is_not_dropped_for_the_same_demand(
    demand: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy, now_s: float
) -> None:
    state = BurstState(students=bound.floor, at_s=0.0, calm_s=100.0)
    raised = pick_students(state, demand, bound, capacity=capacity, policy=policy, now_s=now_s)
    again = pick_students(raised, demand, bound, capacity=capacity, policy=policy, now_s=now_s)
    assert again.students >= raised.students


def test_a_large_request_after_a_pause_is_no_reason_to_keep_students_away() -> None:
    """Alone it looks like three times what four students compute, and at least like nothing."""
    state, asked = BurstState(students=1, at_s=0.0), Between(0.0, 6000)
    for before, students in ((0.0, 4), (2000, 3), (6000, 1)):
        demand = Demand(tokens=64, offered=asked, before=before)
        after = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=5.0)
        assert after.students == students
    others = Demand(tokens=64, offered=asked, others_load=Between(0.0, 0.9), others_before=0.9)
    assert pick_students(state, others, ALL, capacity=FOUR, policy=POLICY, now_s=5.0).students == 1


def test_a_spell_is_as_long_as_the_load_is_high() -> None:
    spells = []
    for rate in (0.0, 1000, 2000, 2700):
        state, now_s = BurstState(students=1, at_s=0.0), 0.0
        while state.students == 1:
            demand = Demand(tokens=1, offered=sure(rate))
            state = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=now_s)
            now_s += 0.01
        spells.append(now_s)
    assert spells == sorted(spells)
    assert spells[0] < 0.02
    assert POLICY.raise_after_s * 0.8 < spells[-1] <= POLICY.raise_after_s + 0.02


@given(bounds, policies, st.floats(0, 1500))
def test_calm_brings_back_all_students(bound: Bounds, policy: BurstPolicy, rate: float) -> None:
    capacity = Capacity((Cost(fixed_s=1e-6, tokens_per_s=1e6),))
    roomy = replace(policy, objective_s=1.0, batch_s=0.1)
    state, now_s, seen = BurstState(students=bound.floor, at_s=0.0), 0.0, [bound.floor]
    for _ in range(2 * (bound.ceiling - bound.floor) + 1):
        demand = Demand(tokens=1, offered=sure(rate))
        state = pick_students(state, demand, bound, capacity=capacity, policy=roomy, now_s=now_s)
        seen.append(state.students)
        now_s += policy.raise_after_s + 0.001
    assert seen[-1] == bound.ceiling
    assert all(earlier <= later for earlier, later in itertools.pairwise(seen))


def test_under_load_students_come_back_one_by_one() -> None:
    state, now_s, changes = BurstState(students=1, at_s=0.0), 0.0, [0.0]
    while state.students < 4:
        demand = Demand(tokens=1, offered=sure(1000))
        after = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=now_s)
        assert after.students <= state.students + 1
        changes += [now_s] if after.students > state.students else []
        state, now_s = after, now_s + 0.01
    assert min(later - earlier for earlier, later in itertools.pairwise(changes)) > 0.1


@given(demands, bounds, capacities, policies)
def test_a_constant_demand_moves_students_one_way_only(
    demand: Demand, bound: Bounds, capacity: Capacity, policy: BurstPolicy
) -> None:
    state, counts = None, []
    for step in range(30):
        now_s = step * (policy.raise_after_s + 0.01)
        state = pick_students(state, demand, bound, capacity=capacity, policy=policy, now_s=now_s)
        counts.append(state.students)
    assert counts in (sorted(counts), sorted(counts, reverse=True))


requests = st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 8), st.integers(1, 512)), min_size=1, max_size=60)


@given(requests, st.floats(0, 5))
def test_the_estimate_is_between_its_bounds_and_fades(asked: list[tuple[float, int, int]], later_s: float) -> None:
    arrivals, now_s = Arrivals(), 0.0
    for wait_s, texts, tokens in asked:
        now_s += wait_s
        arrivals = arrivals.counted(texts=texts, tokens=tokens, now_s=now_s)
    now, then = arrivals.rate(now_s), arrivals.rate(now_s + later_s)
    assert now.low <= now.high
    assert now.high > 0
    assert then.high <= now.high * 1.000001
    assert arrivals.rate(now_s - 1) == now


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_rate_is_within_the_bounds_nearly_always(seed: int) -> None:
    chance, arrivals, now_s, inside, looks = random.Random(seed), Arrivals(), 0.0, 0, 0
    while now_s < 60:
        now_s += chance.expovariate(100)
        arrivals = arrivals.counted(texts=1, tokens=chance.randint(5, 35), now_s=now_s)
        if now_s > 5:
            looks += 1
            inside += arrivals.rate(now_s).low <= 2000 <= arrivals.rate(now_s).high
    assert inside / looks > 0.85
    assert arrivals.rate(now_s).high < 2 * 2000


def test_the_start_of_a_burst_shows_within_a_fraction_of_a_second() -> None:
    arrivals, now_s = Arrivals(), 0.0
    while now_s < 10.4:
        now_s += 0.01 if now_s < 10 else 0.001
        arrivals = arrivals.counted(texts=1, tokens=10, now_s=now_s)
    assert arrivals.rate(now_s).high > 7000
    assert arrivals.rate(now_s).low > 4000


def test_one_large_request_says_little_of_the_rate() -> None:
    one = Arrivals().counted(texts=64, tokens=1000, now_s=0.0)
    many = Arrivals()
    for step in range(100):
        many = many.counted(texts=1, tokens=10, now_s=step * 1e-6)
    assert one.rate(0.001).low == 0 < many.rate(0.001).low


def test_texts_that_were_refused_unread_count_as_long_as_those_before() -> None:
    arrivals, now_s = Arrivals(), 0.0
    for step in range(500):
        now_s = step * 0.01
        arrivals = arrivals.counted(texts=2, tokens=40 if step < 400 else None, now_s=now_s)
    assert arrivals.rate(now_s).low < 4000 < arrivals.rate(now_s).high


def test_nothing_offered_is_nothing() -> None:
    assert Arrivals().rate(0.0) == NONE


def test_after_a_pause_the_first_batch_has_all_students_again() -> None:
    burst = Demand(tokens=100_000, offered=sure(100_000))
    dropped = pick_students(None, burst, ALL, capacity=FOUR, policy=POLICY, now_s=0.0)
    assert dropped.students == 1
    calm = Demand(tokens=16, offered=sure(10))
    later = pick_students(dropped, calm, ALL, capacity=FOUR, policy=POLICY, now_s=5.0)
    assert later.students == 4


def drop(state: BurstState, rate: float, *, now_s: float) -> BurstState:
    """A queue that chance has made too long for more than one student."""
    demand = Demand(tokens=100_000, offered=sure(rate))
    return pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=now_s)


def back(state: BurstState, rate: float, *, now_s: float) -> float:
    """Seconds until a student comes back under a calm queue."""
    waited_s = 0.0
    while waited_s < 60:
        demand = Demand(tokens=1, offered=sure(rate))
        after = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=now_s + waited_s)
        if after.students > state.students:
            return waited_s
        state, waited_s = after, waited_s + 0.1
    return waited_s


def raised(state: BurstState, rate: float, *, now_s: float) -> BurstState:
    """The state with a student more, after as much calm as that takes."""
    demand = Demand(tokens=1, offered=sure(rate))
    calm = pick_students(state, demand, ALL, capacity=FOUR, policy=POLICY, now_s=now_s)
    return pick_students(calm, demand, ALL, capacity=FOUR, policy=POLICY, now_s=now_s + 20)


def test_each_time_a_raise_is_undone_the_next_takes_longer_up_to_a_bound() -> None:
    state, waits = BurstState(students=2, at_s=0.0), []
    for step in range(7):
        state = drop(state, 1500, now_s=100.0 * step)
        waits.append(back(state, 1500, now_s=100.0 * step))
        state = raised(state, 1500, now_s=100.0 * step)
    assert waits == sorted(waits)
    assert waits[0] <= POLICY.raise_after_s
    assert waits[-1] == pytest.approx(POLICY.hold_s, abs=0.2)


def test_a_raise_waits_no_longer_once_arrivals_are_far_below_those_of_the_drop() -> None:
    state = BurstState(students=1, at_s=0.0, setback=Setback(offered=4000, hold_s=8.0))
    assert back(state, 1000, now_s=0) <= POLICY.raise_after_s
    assert back(state, 2500, now_s=0) >= 8.0


def test_drops_in_a_row_are_one_setback() -> None:
    state = BurstState(students=4, at_s=0.0)
    for step, rate in enumerate((1600, 2500, 3700)):
        state = drop(state, rate, now_s=0.1 * step)
    assert state.setback == Setback(offered=3700, hold_s=0.0)


def test_right_after_a_burst_students_stay_away_for_a_calm_spell() -> None:
    burst = Demand(tokens=100_000, offered=sure(100_000))
    dropped = pick_students(None, burst, ALL, capacity=FOUR, policy=POLICY, now_s=0.0)
    soon = pick_students(dropped, Demand(tokens=16, offered=sure(1000)), ALL, capacity=FOUR, policy=POLICY, now_s=0.01)
    assert soon.students == 1
