"""The traces that are shipped, drawn with a seed.

Rates suit the default profile, whose workers have a healthy load at some 190 texts a second each with all students.

Every rate wobbles by some percent over half a minute, as the sum of many clients does, and arrivals within a second are
Poisson.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import Final

from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.trace import Trace

_WOBBLE, _WOBBLE_S = 0.05, 30.0
"""Standard deviation of the rate, as a share of it, and how long an excursion lasts."""


def diurnal(seed: int) -> Trace:
    """A working day: a quiet night, a rise in the morning, a dip at noon, a second and higher peak, a lower evening."""
    about = "a working day: a quiet night, two peaks of up to ten times its load, a dip at noon, an evening"
    return _drawn("diurnal", about, (_day(second / 3600) for second in range(86_400)), seed)


def flash_crowd(seed: int) -> Trace:
    """Something is linked from a popular page: five times the load within half a minute, then interest fades."""
    about = "after an hour of even load five times as much within 30 seconds; half of it is gone in 10 minutes"
    return _drawn("flash-crowd", about, (_crowd(second) for second in range(3 * 3600)), seed)


def on_off(seed: int) -> Trace:
    """Batch jobs and retries: bursts that are over before a further worker could be ready."""
    about = "two hours of bursts of four times the load, each shorter than a worker takes to start"
    return _drawn("on-off", about, _square(2 * 3600, Random(seed)), seed)


SHIPPED: Final[Mapping[str, Callable[[int], Trace]]] = {
    "diurnal": diurnal,
    "flash-crowd": flash_crowd,
    "on-off": on_off,
}


def shipped(name: str, *, seed: int = 0) -> Trace:
    """The trace of this name.

    Raises:
        SimulationError: there is none.
    """
    if name not in SHIPPED:
        raise SimulationError(f"no trace {name}: give a file, or one of {', '.join(SHIPPED)}")
    return SHIPPED[name](seed)


def _day(hour: float) -> float:
    office = 640 * _bell(hour, at=10.0, width=1.3) + 760 * _bell(hour, at=15.0, width=1.7)
    return 80 + office + 220 * _bell(hour, at=20.0, width=1.8)


def _bell(hour: float, *, at: float, width: float) -> float:
    """A hill of the height 1 on the circle of a day."""
    away = (hour - at + 12) % 24 - 12
    return math.exp(-((away / width) ** 2) / 2)


def _crowd(second: int) -> float:
    base, extra, start_s, rise_s = 300.0, 1200.0, 3600, 30
    since_s = second - start_s
    if since_s <= 0:
        return base
    return base + extra * (since_s / rise_s if since_s < rise_s else 0.5 ** ((since_s - rise_s) / 600))


def _square(seconds: int, chance: Random) -> Iterator[float]:
    """Bursts of 20 to 60 s with 60 to 240 s between."""
    left, burst = 120, False
    for _ in range(seconds):
        if left == 0:
            burst = not burst
            left = chance.randint(20, 60) if burst else chance.randint(60, 240)
        left -= 1
        yield 1200.0 if burst else 300.0


def _drawn(name: str, about: str, rates: Iterable[float], seed: int) -> Trace:
    """Counts by second, for a rate by second."""
    chance, wobble, keep = Random(f"{name} {seed}"), 0.0, math.exp(-1.0 / _WOBBLE_S)
    texts = []
    for rate in rates:
        wobble = keep * wobble + math.sqrt(1.0 - keep**2) * _WOBBLE * chance.gauss(0.0, 1.0)
        mean = rate * math.exp(wobble)
        # A Poisson count of so many is as good as normal.
        texts.append(float(max(round(chance.gauss(mean, math.sqrt(mean))), 0)))
    return Trace(name=name, texts=tuple(texts), about=about)
