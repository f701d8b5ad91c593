"""Rates and increases from scrapes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.observe.exposition import Scrape, parse
from phalanx_operator.observe.signals import CAPACITY, LATENCY, QUEUE, REQUESTS
from phalanx_operator.observe.window import Window, total

LABELS = (("code", "200"), ("ensemble", "sentiment"))
KEY = (("ensemble", "sentiment"),)


def scrape(at: float, count: float) -> Scrape:
    return Scrape(at=at, series={REQUESTS.series: {LABELS: count}})


def window(*counts: float, length_s: float = 1000.0, step_s: float = 10.0) -> Window:
    result = Window(length_s=length_s)
    for index, count in enumerate(counts):
        result = result.add(scrape(index * step_s, count))
    return result


def test_a_rate_is_the_increase_over_the_time_between_scrapes():
    assert total([window(100, 150)], REQUESTS) == {KEY: 5.0}


def test_one_scrape_gives_no_rate():
    assert total([window(100)], REQUESTS) == {}


def test_a_counter_that_fell_was_restarted_from_zero():
    assert total([window(100, 150, 20)], REQUESTS) == {KEY: (50 + 20) / 20}


def test_a_series_that_appears_between_scrapes_started_at_zero():
    first = Window(length_s=60).add(Scrape(at=0, series={})).add(scrape(10, 30))
    assert total([first], REQUESTS) == {KEY: 3.0}


def test_workers_and_labels_that_a_signal_does_not_keep_are_summed():
    both = {LABELS: 10.0, (("code", "429"), ("ensemble", "sentiment")): 20.0}
    other = Window(length_s=60).add(Scrape(at=0, series={})).add(Scrape(at=10, series={REQUESTS.series: both}))
    assert total([window(0, 50), other], REQUESTS) == {KEY: 5.0 + 3.0}


def test_gauges_count_with_their_latest_value():
    first = Window(length_s=60).add(Scrape(at=0, series={QUEUE.series: {KEY: 7.0}}))
    assert total([first, first.add(Scrape(at=5, series={QUEUE.series: {KEY: 2.0}}))], QUEUE) == {KEY: 9.0}


def test_scrapes_older_than_the_window_are_dropped_but_one():
    old = window(0, 10, 20, 30, 1000, length_s=15)
    assert [each.at for each in old.scrapes] == [20, 30, 40]


def test_a_long_window_keeps_few_scrapes_and_still_sees_everything():
    sparse = Window(length_s=100, spacing_s=20)
    for at in range(51):
        sparse = sparse.add(scrape(at, at * 2))
    assert len(sparse.scrapes) <= 5
    assert sparse.fold(REQUESTS)[LABELS] == pytest.approx(2.0)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=20))
def test_no_sequence_of_readings_gives_a_negative_rate(counts):
    assert all(value >= 0 for value in total([window(*counts)], REQUESTS).values())


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=20))
def test_rising_counters_lose_no_increase(counts):
    counts = sorted(counts)
    seen = window(*counts)
    assert seen.fold(REQUESTS)[LABELS] * seen.seconds == pytest.approx(counts[-1] - counts[0], abs=1e-3)


def test_after_a_gap_as_long_as_the_window_it_starts_anew():
    late = window(0, 10, length_s=15).add(scrape(100, 5000))
    assert [each.at for each in late.scrapes] == [100]
    assert total([late], REQUESTS) == {}, "an average over the gap would hide a burst at its end"
    assert total([late.add(scrape(110, 5050))], REQUESTS) == {KEY: 5.0}


def test_a_worker_that_exposes_nan_makes_the_sum_unknown_and_not_smaller():
    assert total([window(0, 50), window(0, math.nan)], REQUESTS) == {}
    assert total([window(0, 50)], REQUESTS) == {KEY: 5.0}


def test_an_exposition_is_read_with_labels():
    text = (
        "# TYPE phalanx_requests counter\n"
        'phalanx_requests_total{ensemble="a",code="200"} 5\n'
        "# TYPE phalanx_request_seconds histogram\n"
        'phalanx_request_seconds_bucket{ensemble="a",le="+Inf"} 5\n'
        "# TYPE phalanx_capacity_tokens_per_second gauge\n"
        'phalanx_capacity_tokens_per_second{ensemble="a",students="1"} 7\n'
        "# TYPE python_info gauge\npython_info 1\n"
    )
    names = frozenset({REQUESTS.series, LATENCY.series, CAPACITY.series})
    read = parse(text, at=3.0, names=names)
    assert read.at == 3.0
    assert read.series == {
        REQUESTS.series: {(("code", "200"), ("ensemble", "a")): 5.0},
        LATENCY.series: {(("ensemble", "a"), ("le", "+Inf")): 5.0},
        CAPACITY.series: {(("ensemble", "a"), ("students", "1")): 7.0},
    }


@pytest.mark.parametrize("text", ["<html>", "phalanx_requests_total{", 'a{b="c"', "x y z w"])
def test_text_that_is_no_exposition_is_a_value_error(text):
    with pytest.raises(ValueError, match="not the Prometheus text format"):
        parse(text, at=0, names=frozenset({"a"}))
