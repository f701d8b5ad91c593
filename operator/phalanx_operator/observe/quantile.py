"""Quantiles of Prometheus histograms. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The value below which `share` (0 to 1) of the observations lie, as PromQL's `histogram_quantile` reads it.

    `buckets` maps each upper bound, `inf` among them, to the cumulative count. Within a bucket the
    observations are taken as spread evenly; past the last finite bound its value is the answer.

    Returns None where nothing was observed or the histogram has no `inf` bucket.
    """
    bounds = sorted(buckets)
    if not bounds or bounds[-1] != float("inf") or len(bounds) < 2:
        return None
    counts = _monotone([buckets[bound] for bound in bounds])
    total = counts[-1]
    if not total > 0:
        return None
    rank = share * total
    index = next(i for i, count in enumerate(counts) if count >= rank)
    if index == len(bounds) - 1:
        return bounds[-2]
    lower, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    inside = counts[index] - below
    # An empty first bucket is reached by share 0 alone.
    return lower + (bounds[index] - lower) * ((rank - below) / inside if inside > 0 else 0.0)


def _monotone(counts: list[float]) -> list[float]:
    """Cumulative counts that never fall: sums of rates from several pods can differ in the last digits."""
    highest = 0.0
    result = []
    for count in counts:
        highest = max(highest, count)
        result.append(highest)
    return result
