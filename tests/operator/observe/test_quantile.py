"""Quantiles from cumulative buckets."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.observe.quantile import quantile

BUCKETS = st.lists(
    st.tuples(st.floats(0.001, 100), st.integers(0, 1000)), min_size=1, max_size=12, unique_by=lambda pair: pair[0]
)


def cumulative(parts: list[tuple[float, int]]) -> dict[float, float]:
    total = 0.0
    buckets = {}
    for bound, count in sorted(parts):
        total += count
        buckets[bound] = total
    return buckets | {math.inf: total}


def test_half_of_an_even_bucket_is_its_middle():
    assert quantile(0.5, {1.0: 0.0, 3.0: 10.0, math.inf: 10.0}) == 2.0


def test_past_the_last_finite_bound_its_value_is_the_answer():
    assert quantile(0.99, {1.0: 1.0, math.inf: 100.0}) == 1.0


def test_nothing_observed_has_no_quantile():
    assert quantile(0.99, {}) is None
    assert quantile(0.99, {1.0: 0.0, math.inf: 0.0}) is None
    assert quantile(0.99, {1.0: 5.0}) is None, "without +Inf the total is unknown"
    assert quantile(0.99, {1.0: math.nan, math.inf: math.nan}) is None


@given(BUCKETS, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_lie_within_the_bounds_and_rise_with_the_share(parts, low, high):
    buckets = cumulative(parts)
    low, high = sorted((low, high))
    first, second = quantile(low, buckets), quantile(high, buckets)
    if buckets[math.inf] == 0:
        assert first is second is None
    else:
        assert 0 <= first <= second <= max(bound for bound in buckets if bound < math.inf)
