"""Wall-clock times of contenders, interleaved."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.record import Figure

Call = Callable[[], object]
SEED = 0


def interleaved(calls: Mapping[str, Call], rounds: Iterable[int]) -> dict[str, list[float]]:
    """Seconds of each call in each round, every round in an order of its own. Calls return when all is done."""
    chance, names = random.Random(SEED), sorted(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in rounds:
        for name in chance.sample(names, len(names)):
            start = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def latency(seconds: Sequence[float]) -> Figure:
    """Median, 10th and 99th percentile in milliseconds."""
    low, high = percentile(seconds, 10), percentile(seconds, 99)
    return Figure(value=1000 * statistics.median(seconds), low=1000 * low, high=1000 * high, unit="ms")


def ratio(over: Sequence[float], under: Sequence[float]) -> Figure:
    """How many times as long the first took as the second in the same round: median, 10th and 90th percentile."""
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    return Figure(value=statistics.median(ratios), low=percentile(ratios, 10), high=percentile(ratios, 90), unit="x")


def rate(amount: float, seconds: Sequence[float], unit: str) -> Figure:
    """Amount per second: of the median time, and of the 90th and 10th percentile."""
    low, high = amount / percentile(seconds, 90), amount / percentile(seconds, 10)
    return Figure(value=amount / statistics.median(seconds), low=low, high=high, unit=unit)


def percentile(values: Sequence[float], percent: float) -> float:
    """With linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
