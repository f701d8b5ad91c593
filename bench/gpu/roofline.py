"""How near a device's limits something comes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.gpu.timing import percentile
from bench.gpu.work import Limits, Work
from bench.record import Figure


def shares(key: str, work: Work, seconds: Sequence[float], limits: Limits) -> dict[str, Figure]:
    """Of the bandwidth, of the matrix rate, and of the roof that they make: at the median time, and its deciles."""
    found = {}
    slow, fast = percentile(seconds, 90), percentile(seconds, 10)
    least = {
        "bandwidth": work.moved_bytes / limits.bytes_per_s,
        "rate": work.flops / limits.flops_per_s,
        "roof": work.least_s(limits),
    }
    for name, least_s in least.items():
        found[f"roofline:{key}:{name}"] = Figure(
            value=least_s / statistics.median(seconds), low=least_s / slow, high=least_s / fast, unit="share"
        )
    return found
