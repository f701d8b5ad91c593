"""Intervals for shares. Pure."""

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
