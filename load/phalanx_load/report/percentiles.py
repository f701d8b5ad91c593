"""Exact percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from phalanx_load.report.figures import Latency


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the least value that so large a share of the values does not exceed. Values ascend, one at least.

    Raises:
        ValueError: there is no value, or the share is not within 0 and 1.
    """
    if not ordered:
        raise ValueError("no values, no percentile")
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share of {share:g} is not within 0 and 1")
    # Rounded before the ceiling: 0.07 * 100 is a little more than 7.
    return ordered[max(0, math.ceil(round(share * len(ordered), 9)) - 1)]


def latency_of(seconds: Iterable[float]) -> Latency | None:
    """The percentiles of a report, in milliseconds; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return Latency(
        p50_ms=1000 * percentile(ordered, 0.50),
        p90_ms=1000 * percentile(ordered, 0.90),
        p99_ms=1000 * percentile(ordered, 0.99),
        p999_ms=1000 * percentile(ordered, 0.999),
        max_ms=1000 * ordered[-1],
    )
