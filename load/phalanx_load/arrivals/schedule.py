"""A schedule and the stretches of time that it is made of."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from phalanx_load.errors import LoadError

MOST_REQUESTS: Final = 10_000_000
"""Bound of a schedule: some 400 MB of record. Longer tests are several runs."""

CALM, BURST = "calm", "burst"
"""Names of the two halves of a square wave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of constant mean rate: so many seconds at so many requests a second (0: silence).

    Phases of one name are reported together, such as all bursts of a square wave.
    """

    name: str
    seconds: float
    rate: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise LoadError(f"phase {self.name}: {self.seconds:g} seconds; a phase has to last some time")
        if not (math.isfinite(self.rate) and self.rate >= 0):
            raise LoadError(f"phase {self.name}: a rate of {self.rate:g} a second; write 0 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Where a phase lies, in seconds since the run began; the start is in it, the end is not."""

    name: str
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Schedule:
    """When requests are due, ascending, and the spans one after the other that hold all of them."""

    due_s: array[float]
    spans: tuple[Span, ...]

    def __post_init__(self) -> None:
        if not self.due_s:
            raise LoadError("no request is due in the time given: raise the rate or the seconds")

    def __len__(self) -> int:
        return len(self.due_s)

    @property
    def end_s(self) -> float:
        """The end of the last span."""
        return self.spans[-1].end_s

    def within(self, span: Span) -> range:
        """The requests that are due in a span."""
        return range(bisect_left(self.due_s, span.start_s), bisect_left(self.due_s, span.end_s))

    def until(self, *, requests: int | None = None, seconds: float | None = None) -> Schedule:
        """The beginning of it: at most so many requests, of the first so many seconds."""
        count = len(self) if seconds is None else bisect_left(self.due_s, seconds)
        end_s = self.end_s if seconds is None else min(self.end_s, seconds)
        if requests is not None and requests < count:
            # The last request is in it, even if the next one is due at the same time.
            count, end_s = requests, max(self.due_s[requests], math.nextafter(self.due_s[requests - 1], math.inf))
        return Schedule(self.due_s[:count], spans_until(self.spans, end_s))


def spans_until(spans: Iterable[Span], end_s: float) -> tuple[Span, ...]:
    """The part of spans that lies before a time."""
    return tuple(
        Span(name=span.name, start_s=span.start_s, end_s=min(span.end_s, end_s))
        for span in spans
        if span.start_s < end_s
    )


def spans_of(phases: Iterable[Phase]) -> tuple[Span, ...]:
    """Phases laid one after the other."""
    spans: list[Span] = []
    start_s = 0.0
    for phase in phases:
        spans.append(Span(name=phase.name, start_s=start_s, end_s=start_s + phase.seconds))
        start_s += phase.seconds
    return tuple(spans)


def square_wave(
    *, calm_rate: float, burst_rate: float, calm_s: float, burst_s: float, seconds: float
) -> tuple[Phase, ...]:
    """On-off bursts for so many seconds, a calm first; the last phase is cut where time is up."""
    if not (math.isfinite(seconds) and calm_s > 0 and burst_s > 0):
        raise LoadError("the calm and the burst of a square wave both have to last some time")
    cycle = (Phase(name=CALM, seconds=calm_s, rate=calm_rate), Phase(name=BURST, seconds=burst_s, rate=burst_rate))
    phases: list[Phase] = []
    left_s = seconds
    # A remainder of nothing but rounding is no phase.
    while left_s > 1e-9:
        phase = cycle[len(phases) % 2]
        phases.append(Phase(name=phase.name, seconds=min(phase.seconds, left_s), rate=phase.rate))
        left_s -= phase.seconds
    return tuple(phases)


def bounded(due_s: Iterator[float], *, expected: float, requests: int | None = None) -> array[float]:
    """The times, as long as a run can hold them; some `expected` of them are to come.

    Of a number of `requests` there is one more, if there is: where its turn begins, theirs ends.

    Raises:
        LoadError: there are more.
    """
    if requests is not None and requests <= MOST_REQUESTS:
        return array("d", islice(due_s, requests + 1))
    # Looked at first: drawing ten million times only to refuse them takes seconds.
    times = array("d", islice(due_s, MOST_REQUESTS + 1) if expected <= MOST_REQUESTS else ())
    if expected > MOST_REQUESTS or len(times) > MOST_REQUESTS:
        raise LoadError(f"more than {MOST_REQUESTS:,} requests: lower the rate or the seconds, or run several times")
    return times
