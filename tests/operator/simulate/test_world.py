"""The promises of the modelled pool."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phalanx_contract.plan import Cut
from phalanx_operator.simulate.profile import BATCH_SHARE, CPU
from phalanx_operator.simulate.replay import replay
from phalanx_operator.simulate.world import World
from tests.operator.simulate.scenes import OBJECTIVE_S, Guarded, fixed, scene, trace

loads = st.lists(st.floats(0, 3000), min_size=1, max_size=60).filter(any)
cuts = st.tuples(st.integers(1, 4), st.integers(0, 3)).map(
    lambda pair: Cut(students_floor=pair[0], students_ceiling=min(pair[0] + pair[1], 4), burst_loss=0.03)
)
QUIET_S = 2
"""Longer than any queue: admission lets it be four objectives long."""
FAST = settings(deadline=None, max_examples=40)


@FAST
@given(loads, cuts, st.integers(1, 6), st.lists(st.integers(0, 8), max_size=60))
def test_every_text_is_answered_refused_or_waits(texts, cut, replicas, wanted):
    """Also while workers come and go."""
    world, arrived, done = World(scene(replicas), cut), 0.0, 0.0
    for second, load in enumerate(texts):
        if second < len(wanted):
            world.scale(wanted[second], now=float(second))
        seen = world.step(load, now=float(second))
        arrived += load
        done += seen.answered + seen.refused
        assert arrived == pytest.approx(done + seen.waiting, abs=1e-6)
        assert 0 <= seen.late <= seen.answered + 1e-9
        assert min(seen.answered, seen.refused, seen.waiting) >= 0


@FAST
@given(loads, st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_more_workers_never_serve_worse_at_fixed_students(texts, students, workers, more):
    # With quiet seconds in the end: what still waits then is neither late nor refused yet, and fewer have more of it.
    whole = trace([*texts, *[0.0] * QUIET_S])
    few = replay(whole, fixed(students, workers), scene(workers)).score
    many = replay(whole, fixed(students, workers + more), scene(workers + more)).score
    assert few.waiting == many.waiting == 0.0
    # Rates are rounded to a hundredth, so that a spread is computed once.
    assert many.violations <= 1.02 * few.violations + 1e-6
    assert many.refused <= few.refused + 1e-6


@FAST
@given(st.floats(0.7, 1.0), st.floats(1.0, 1.3), st.integers(1, 4), st.integers(1, 5))
@example(0.97, 1.04, 4, 1)
def test_beyond_its_capacity_a_worker_never_answers_better_than_below(below, beyond, students, seconds):
    capacity = CPU.cost(students).texts_per_s(BATCH_SHARE * OBJECTIVE_S)

    def violating(load: float) -> float:
        texts = [load * capacity] * seconds + [0.0] * QUIET_S
        return replay(trace(texts), fixed(students, 1), scene(1)).score.violating

    assert violating(below) <= 1.02 * violating(beyond) + 1e-9


@FAST
@given(loads, st.floats(1.0, 3.0), st.integers(1, 4))
def test_more_load_never_leaves_a_shorter_queue(texts, factor, students):
    def queues(scale: float) -> list[float]:
        world, cut = scene(1), Cut(students_floor=students, students_ceiling=students)
        pool = World(world, cut)
        return [pool.step(scale * load, now=float(second)).waiting for second, load in enumerate(texts)]

    assert all(light <= heavy + 1e-9 for light, heavy in zip(queues(1.0), queues(factor), strict=True))


def test_workers_take_texts_only_once_they_have_started():
    world = World(scene(1), Cut())
    world.scale(3, now=0.0)
    assert (world.live, world.ready(0.0), world.ready(CPU.startup_s)) == (3, 1, 3)


def test_those_that_are_not_ready_go_first():
    world = World(scene(2), Cut())
    world.scale(5, now=0.0)
    world.scale(2, now=10.0)
    assert (world.live, world.ready(10.0)) == (2, 2)


def test_a_worker_that_goes_answers_what_it_holds():
    world = World(scene(2), Cut(students_floor=4))
    before = world.step(1000.0, now=0.0)
    world.scale(1, now=1.0)
    after = world.step(0.0, now=1.0)
    assert before.waiting > 0
    assert (after.live, after.answered) == (2, pytest.approx(before.waiting))
    assert world.step(0.0, now=2.0).live == 1


def test_without_a_ready_worker_everything_is_refused():
    world = World(replace(scene(1), replicas=0), Cut())
    world.scale(1, now=0.0)
    assert world.step(50.0, now=0.0).refused == 50.0


def test_the_observation_is_what_the_workers_expose():
    world = World(scene(2), Cut(students_floor=4))
    for second in range(41):
        if second % 10 == 0:
            world.scrape(now=float(second))
        world.step(200.0, now=float(second))
    seen = world.observation(now=40.0)
    metrics = seen.ensembles["model"]
    assert (seen.workers, seen.at, seen.problem) == (2, 40.0, "")
    assert metrics.requests_per_s == pytest.approx(200.0)
    assert metrics.tokens_per_s == pytest.approx(200.0 * CPU.tokens)
    assert metrics.capacity_tokens_per_s[4] == pytest.approx(2 * CPU.capacity_tokens_per_s(4))
    assert metrics.p99_s is not None and metrics.p99_s < OBJECTIVE_S
    assert seen.busy_share is not None and 0.4 < seen.busy_share < 0.9


def test_metrics_of_workers_that_just_became_ready_are_not_there_yet():
    world = World(replace(scene(1), interval_s=10.0), Cut())
    world.scrape(now=0.0)
    assert "metrics of 0 of 1" in world.observation(now=0.0).problem


def test_a_spent_budget_raises_the_floor_and_calm_lowers_it_again():
    """Two students are always within the budget, one is not: a burst that lasts uses up what the calm has earned."""
    profile = replace(CPU, agreement=(0.9, 0.99, 0.995, 1.0))
    cut = Cut(students_floor=1, students_ceiling=4, burst_loss=0.03)
    texts = [100.0] * 200 + [500.0] * 200 + [100.0] * 400 + [500.0] * 20
    run = replay(trace(texts), Guarded(cut), scene(1, profile=profile))
    students = [each.students for each in run.slices]
    assert students[210] == 1
    assert 2 in students[210:400]
    assert students[799] == 4
    assert 1 in students[800:]
    assert run.score.disagreeing <= 0.03
