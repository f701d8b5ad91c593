"""Percentiles are exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_load.report.percentiles import latency_of, percentile

values = st.lists(st.floats(0, 1e6), min_size=1, max_size=300).map(sorted)
shares = st.floats(0, 1)


@given(values, shares)
def test_a_percentile_is_a_value_that_was_measured(ordered: list[float], share: float) -> None:
    assert percentile(ordered, share) in ordered


@given(values, shares)
def test_it_is_the_least_value_that_so_large_a_share_does_not_exceed(ordered: list[float], share: float) -> None:
    found = percentile(ordered, share)
    not_above = sum(value <= found for value in ordered)
    below = sum(value < found for value in ordered)
    assert not_above >= share * len(ordered) - 1e-6
    assert below <= max(0.0, share * len(ordered) + 1e-6)


@given(values, shares, shares)
def test_percentiles_ascend(ordered: list[float], one: float, other: float) -> None:
    assert percentile(ordered, min(one, other)) <= percentile(ordered, max(one, other))


def test_the_hundred_first_numbers_have_their_own_percentiles() -> None:
    numbers = [float(number) for number in range(1, 101)]
    assert [percentile(numbers, share / 100) for share in (1, 7, 29, 50, 58, 99, 100)] == [1, 7, 29, 50, 58, 99, 100]


def test_nothing_has_no_percentiles() -> None:
    assert latency_of([]) is None
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="not within 0 and 1"):
        percentile([1.0], 99)


def test_a_report_has_milliseconds() -> None:
    latency = latency_of([0.001 * number for number in range(1, 1001)])
    assert latency is not None
    assert (latency.p50_ms, latency.p99_ms, latency.p999_ms, latency.max_ms) == pytest.approx((500, 990, 999, 1000))
