"""Wilson's interval against published values, and its promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.intervals import wilson


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_equal_the_published_ones(right: int, total: int, low: float, high: float) -> None:
    interval = wilson(right, total)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_share_lies_within_and_the_interval_within_zero_and_one(case: tuple[int, int]) -> None:
    interval = wilson(*case)
    assert 0 <= interval.low <= interval.share <= interval.high <= 1
    mirrored = wilson(case[1] - case[0], case[1])
    assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-12)


def test_more_rows_give_a_narrower_interval() -> None:
    widths = [wilson(total // 2, total).high - wilson(total // 2, total).low for total in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("case", [(1, 0), (-1, 3), (4, 3)])
def test_what_is_no_share_is_refused(case: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        wilson(*case)
