"""Replay of recorded arrivals, faster or slower, thinner or denser."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random

from phalanx_load.arrivals.schedule import Schedule, Span, bounded
from phalanx_load.errors import LoadError

TRACE = "trace"
"""The name of a replay's only phase."""


@dataclass(frozen=True, slots=True)
class Slot:
    """`count` requests that arrived from `start_s` on, within `seconds`; `exact` is a single one right at the start."""

    start_s: float
    seconds: float
    count: int
    exact: bool

    @property
    def end_s(self) -> float:
        """Where the next one starts."""
        return self.start_s + self.seconds

    def before(self, limit_s: float) -> float:
        """How many requests are expected before a time."""
        if self.end_s <= limit_s:
            return float(self.count)
        return self.count * (limit_s - self.start_s) / self.seconds if self.start_s < limit_s else 0.0


def replay(
    slots: Sequence[Slot],
    *,
    seed: int,
    speed: float = 1.0,
    density: float = 1.0,
    requests: int | None = None,
    seconds: float | None = None,
) -> Schedule:
    """The schedule of a trace; `speed` divides its times, `density` multiplies the number of requests in it.

    Requests that are known by number alone fall anywhere within their slot, as likely here as there; so do the copies
    that a density above 1 adds. A fraction of a request is one with that probability. `requests` and `seconds` bound
    the schedule, and what is drawn for it: a trace may be far longer than a run.

    Raises:
        LoadError: a factor is not a positive number, or nothing is left to send, or too much.
    """
    for name, factor in (("speed", speed), ("density", density)):
        if not (math.isfinite(factor) and factor > 0):
            raise LoadError(f"the trace's {name} is {factor:g}; it has to be above 0")
    limit_s = math.inf if seconds is None else seconds
    times = (time / speed for time in _times(slots, density, Random(seed)))
    due_s = bounded(
        takewhile(lambda time: time < limit_s, times),
        expected=density * sum(slot.before(limit_s * speed) for slot in slots),
        requests=requests,
    )
    # The last offset of a trace is in its span, which ends just after it.
    end_s = math.nextafter(slots[-1].end_s / speed, math.inf)
    return Schedule(due_s, (Span(name=TRACE, start_s=0.0, end_s=end_s),)).until(requests=requests, seconds=seconds)


def _times(slots: Iterable[Slot], density: float, chance: Random) -> Iterator[float]:
    for slot in slots:
        wanted = slot.count * density
        count = int(wanted) + (chance.random() < wanted % 1.0)
        if slot.exact and count:
            yield slot.start_s
            count -= 1
        yield from _scattered(slot, count, chance)


def _scattered(slot: Slot, count: int, chance: Random) -> Iterator[float]:
    """So many times anywhere in a slot, ascending, drawn only as they are asked for."""
    at_s = slot.start_s
    for left in range(count, 0, -1):
        # The least of so many uniform draws from the rest of the slot: 1 - U ** (1 / left) of it.
        at_s += (slot.end_s - at_s) * -math.expm1(math.log(1.0 - chance.random()) / left)
        yield at_s
