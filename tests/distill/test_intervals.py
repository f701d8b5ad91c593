"""Intervals and the paired test against published values, and their promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.intervals import Pairs, mcnemar, paired_difference, wilson


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


PUBLISHED = [
    # Newcombe 1998, Statistics in Medicine 17:2635, method 10
    (Pairs(36, 12, 2, 0), 0.0569, 0.3404),
    # Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850: stem cells (Cavo 2012; Bentur 2009)
    (Pairs(59, 6, 16, 80), -0.1186, -0.0046),
    (Pairs(1, 1, 7, 12), -0.507, -0.026),
]
COUNTS = st.builds(Pairs, *[st.integers(0, 400)] * 4).filter(lambda pairs: pairs.total > 0)


@pytest.mark.parametrize(("pairs", "low", "high"), PUBLISHED)
def test_paired_differences_equal_the_published_ones(pairs: Pairs, low: float, high: float) -> None:
    difference = paired_difference(pairs)
    digits = len(str(low).partition(".")[2])
    assert (round(difference.low, digits), round(difference.high, digits)) == (low, high)


@given(COUNTS)
def test_a_paired_difference_lies_within_its_interval_and_mirrors_when_the_two_are_swapped(pairs: Pairs) -> None:
    one = paired_difference(pairs)
    other = paired_difference(Pairs(pairs.both, pairs.only_second, pairs.only_first, pairs.neither))
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-9)
    assert one.low < one.high


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200))
def test_pairing_pays_the_more_both_agree_the_narrower(total: int, first: int, second: int) -> None:
    """Against two samples of other rows with the same shares, rows that are right together tell more."""
    together = paired_difference(Pairs(total + min(first, second), 0, 0, total + max(first, second)))
    apart = wilson(total + min(first, second), 2 * total + first + second)
    independent = ((apart.share - apart.low) ** 2 + (apart.high - apart.share) ** 2) ** 0.5
    assert together.high <= independent + 1e-12


@pytest.mark.parametrize(
    ("pairs", "p"),
    [
        (Pairs(1, 1, 7, 12), 0.0391),  # Fagerland, Lydersen and Laake 2013, BMC Med Res Methodol 13:91
        (Pairs(59, 6, 16, 80), 0.0347),
        (Pairs(5, 0, 0, 5), 1.0),
        (Pairs(5, 1, 1, 5), 0.75),  # all of 4 ways, less half of the 2 that are as even
    ],
)
def test_the_paired_test_equals_published_values(pairs: Pairs, p: float) -> None:
    assert mcnemar(pairs) == pytest.approx(p, abs=5e-5)


@given(COUNTS)
def test_the_paired_test_gives_a_probability_whichever_comes_first(pairs: Pairs) -> None:
    swapped = Pairs(pairs.both, pairs.only_second, pairs.only_first, pairs.neither)
    assert 0 < mcnemar(pairs) <= 1
    assert mcnemar(pairs) == mcnemar(swapped)


@pytest.mark.parametrize("pairs", [Pairs(0, 0, 0, 0), Pairs(3, -1, 2, 0)])
def test_no_rows_cannot_be_compared(pairs: Pairs) -> None:
    with pytest.raises(ValueError, match="no rows to compare"):
        paired_difference(pairs)
