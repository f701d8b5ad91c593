"""Intervals for shares, and for the difference of two shares of the same rows. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z95: Final = 1.959963984540054
"""The standard normal's 97.5 % point: two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and its 95 % interval, each in [0, 1]."""

    share: float
    low: float
    high: float


def wilson(right: int, total: int, *, z: float = Z95) -> Interval:
    """Wilson's score interval for `right` of `total` (Wilson 1927, JASA 22:209).

    Unlike the normal approximation it stays within [0, 1] and has a width at 0 and 1.

    Raises:
        ValueError: not 0 <= right <= total, or total is 0.
    """
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"{right} of {total} is not a share")
    share = right / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == total else min(1.0, centre + half)
    return Interval(share=share, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows by which of two predictors answers them rightly: both, only the first, only the second, neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def total(self) -> int:
        """All rows."""
        return self.both + self.only_first + self.only_second + self.neither


@dataclass(frozen=True, slots=True)
class Difference:
    """The first share less the second, each in [-1, 1], with its 95 % interval."""

    value: float
    low: float
    high: float


def paired_difference(pairs: Pairs, *, z: float = Z95) -> Difference:
    """How much larger the first predictor's share is, on the same rows.

    The square-and-add interval with a correction for the rows' correlation: method 10 of Newcombe 1998, Statistics in
    Medicine 17:2635. It is built of Wilson's intervals, so it keeps a width where all pairs agree.

    Raises:
        ValueError: a negative count, or no rows.
    """
    total = pairs.total
    if total == 0 or min(pairs.both, pairs.only_first, pairs.only_second, pairs.neither) < 0:
        raise ValueError(f"{pairs} has no rows to compare, or a negative count")
    first = wilson(pairs.both + pairs.only_first, total, z=z)
    second = wilson(pairs.both + pairs.only_second, total, z=z)
    phi = _correlation(pairs)
    value = (pairs.only_first - pairs.only_second) / total  # rounded once: a loss of 1 in 100 is 0.01, not more
    below = _joined(first.share - first.low, second.high - second.share, phi)
    above = _joined(second.share - second.low, first.high - first.share, phi)
    return Difference(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def mcnemar(pairs: Pairs) -> float:
    """The two-sided mid-p value of McNemar's exact test that both shares are equal; 1 if no pair differs.

    Mid-p because the exact test is needlessly slow to reject: Fagerland, Lydersen and Laake 2013, BMC Medical
    Research Methodology 13:91.
    """
    fewer, differing = min(pairs.only_first, pairs.only_second), pairs.only_first + pairs.only_second
    if differing == 0:
        return 1.0
    at_most, here = 1, 1  # of 2**differing ways: with at most `count` on the rarer side, and with exactly so many
    for count in range(fewer):
        here = here * (differing - count) // (count + 1)
        at_most += here
    ways: int = 2**differing
    if pairs.only_first == pairs.only_second:
        return 1 - here / (2 * ways)
    return (2 * at_most - here) / ways


def _correlation(pairs: Pairs) -> float:
    """Pearson's phi of the two predictors' correctness, its numerator corrected for continuity if positive."""
    first, second = pairs.both + pairs.only_first, pairs.both + pairs.only_second
    margins = first * (pairs.total - first) * second * (pairs.total - second)
    if margins == 0:
        return 0.0
    product: float = pairs.both * pairs.neither - pairs.only_first * pairs.only_second
    if product > 0:
        product = max(product - pairs.total / 2, 0)
    return product / math.sqrt(margins)


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))
