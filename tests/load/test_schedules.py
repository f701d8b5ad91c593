"""Promises of schedules: rates, order, the same for the same seed."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_load import LoadError, Phase, Schedule, Span, poisson, square_wave

phases = st.lists(
    st.builds(
        Phase,
        name=st.sampled_from(["a", "b"]),
        seconds=st.floats(0.5, 20),
        rate=st.floats(2, 50),
    ),
    min_size=1,
    max_size=4,
)
seeds = st.integers(0, 2**32)


def schedule_of(given_phases: list[Phase], seed: int) -> Schedule:
    try:
        return poisson(given_phases, seed=seed)
    except LoadError:
        # Chance may leave a short phase empty; a burst behind it does not.
        return poisson([*given_phases, Phase(name="dense", seconds=10, rate=100)], seed=seed)


@given(phases, seeds)
def test_arrivals_ascend_and_lie_in_their_phases(given_phases: list[Phase], seed: int) -> None:
    schedule = schedule_of(given_phases, seed)
    assert list(schedule.due_s) == sorted(schedule.due_s)
    assert schedule.due_s[0] >= 0
    assert schedule.due_s[-1] < schedule.end_s


@given(phases, seeds)
def test_spans_part_the_requests_without_gap_or_overlap(given_phases: list[Phase], seed: int) -> None:
    schedule = schedule_of(given_phases, seed)
    indices = [index for span in schedule.spans for index in schedule.within(span)]
    assert indices == list(range(len(schedule)))


@given(phases, seeds)
def test_a_seed_always_gives_the_same_schedule(given_phases: list[Phase], seed: int) -> None:
    assert schedule_of(given_phases, seed).due_s == schedule_of(given_phases, seed).due_s


def test_another_seed_gives_another_schedule() -> None:
    steady = [Phase(name="steady", seconds=10, rate=50)]
    assert poisson(steady, seed=0).due_s != poisson(steady, seed=1).due_s


@pytest.mark.parametrize("seed", range(5))
def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process(seed: int) -> None:
    schedule = poisson([Phase(name="steady", seconds=400, rate=50)], seed=seed)
    # Counts have the variance of their mean; five standard deviations.
    assert abs(len(schedule) - 20_000) < 5 * math.sqrt(20_000)
    counts = [0] * 400
    for due_s in schedule.due_s:
        counts[int(due_s)] += 1
    mean = sum(counts) / 400
    variance = sum((count - mean) ** 2 for count in counts) / 399
    assert 0.65 < variance / mean < 1.35


def test_a_square_wave_has_both_rates_and_begins_calm() -> None:
    wave = square_wave(calm_rate=20, burst_rate=200, calm_s=3, burst_s=2, seconds=200)
    schedule = poisson(wave, seed=3)
    assert [span.name for span in schedule.spans[:3]] == ["calm", "burst", "calm"]
    for name, rate in (("calm", 20), ("burst", 200)):
        spans = [span for span in schedule.spans if span.name == name]
        count = sum(len(schedule.within(span)) for span in spans)
        assert count / sum(span.seconds for span in spans) == pytest.approx(rate, rel=0.06)


@given(calm_s=st.floats(0.1, 7), burst_s=st.floats(0.1, 7), seconds=st.floats(1, 50))
def test_a_square_wave_lasts_as_long_as_asked(calm_s: float, burst_s: float, seconds: float) -> None:
    wave = square_wave(calm_rate=1, burst_rate=2, calm_s=calm_s, burst_s=burst_s, seconds=seconds)
    assert sum(phase.seconds for phase in wave) == pytest.approx(seconds)
    assert all(before.name != after.name for before, after in pairwise(wave))


def test_a_silent_phase_sends_nothing() -> None:
    quiet, loud = Phase(name="quiet", seconds=5, rate=0), Phase(name="loud", seconds=5, rate=20)
    schedule = poisson([quiet, loud], seed=0)
    assert len(schedule.within(schedule.spans[0])) == 0
    assert len(schedule.within(schedule.spans[1])) == len(schedule)


@given(requests=st.integers(1, 300), seconds=st.floats(0.5, 12))
def test_bounds_keep_the_beginning(requests: int, seconds: float) -> None:
    whole = poisson([Phase(name="a", seconds=5, rate=20), Phase(name="b", seconds=5, rate=20)], seed=1)
    cut = whole.until(requests=requests, seconds=seconds)
    assert cut.due_s == whole.due_s[: len(cut)]
    assert len(cut) == min(requests, sum(due_s < seconds for due_s in whole.due_s))
    assert sum(len(cut.within(span)) for span in cut.spans) == len(cut)
    assert cut.end_s <= min(seconds, 10)


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12).map(sorted), st.integers(1, 12))
def test_requests_that_are_due_together_are_all_within_the_bounds(times: list[float], requests: int) -> None:
    whole = Schedule(array("d", times), (Span(name="x", start_s=0.0, end_s=6.0),))
    cut = whole.until(requests=requests)
    assert list(cut.due_s) == times[:requests]
    assert [index for span in cut.spans for index in cut.within(span)] == list(range(len(cut)))


def test_a_few_requests_of_a_run_that_no_memory_holds_are_a_schedule() -> None:
    few = poisson([Phase(name="x", seconds=1e6, rate=1e6)], seed=0, requests=100)
    assert len(few) == 100
    assert few.due_s == poisson([Phase(name="x", seconds=1, rate=1e6)], seed=0).due_s[:100]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Phase(name="x", seconds=0, rate=1), "phase x: 0 seconds"),
        (lambda: Phase(name="x", seconds=1, rate=-1), "phase x: a rate of -1"),
        (lambda: poisson([Phase(name="x", seconds=1, rate=0)], seed=0), "no request is due"),
        (lambda: poisson([Phase(name="x", seconds=1e6, rate=1e6)], seed=0), "more than 10,000,000 requests"),
    ],
    ids=["no time", "negative rate", "nothing to send", "too much to send"],
)
def test_a_schedule_that_cannot_be_is_refused(make: object, says: str) -> None:
    assert callable(make)
    with pytest.raises(LoadError, match=says):
        make()
