"""Replay of recorded arrivals, faster or slower, thinner or denser.

A trace has one of two forms, with blank lines and lines after `#` left out:

    0.013              arrival offsets in seconds, ascending, one a line
    1700000000,42      a time and the number of requests from then to the next line's time (as CSV; a header may come
                       first; times are seconds or ISO 8601, such as 2026-01-31T12:00:00)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
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


def replay(slots: Sequence[Slot], *, seed: int, speed: float = 1.0, density: float = 1.0) -> Schedule:
    """The schedule of a trace; `speed` divides its times, `density` multiplies the number of requests in it.

    Requests that are known by number alone fall anywhere within their slot, as likely here as there; so do the copies
    that a density above 1 adds. A fraction of a request is one with that probability.

    Raises:
        LoadError: a factor is not a positive number, or nothing is left to send, or too much.
    """
    for name, factor in (("speed", speed), ("density", density)):
        if not (math.isfinite(factor) and factor > 0):
            raise LoadError(f"the trace's {name} is {factor:g}; it has to be above 0")
    expected = density * sum(slot.count for slot in slots)
    due_s = bounded((time / speed for time in _times(slots, density, Random(seed))), expected=expected)
    end_s = (slots[-1].start_s + slots[-1].seconds) / speed
    # The last offset of a trace is in its span, which ends just after it.
    return Schedule(due_s, (Span(name=TRACE, start_s=0.0, end_s=math.nextafter(end_s, math.inf)),))


def _times(slots: Iterable[Slot], density: float, chance: Random) -> Iterator[float]:
    for slot in slots:
        wanted = slot.count * density
        count = int(wanted) + (chance.random() < wanted % 1.0)
        times = sorted(slot.start_s + slot.seconds * chance.random() for _ in range(count))
        if slot.exact and times:
            times[0] = slot.start_s
        yield from times


def read_trace(lines: Iterable[str]) -> tuple[Slot, ...]:
    """The slots of a trace, shifted so that the first starts at 0 (offsets stay as they are).

    Raises:
        LoadError: a line is not as the trace's form has it; the text names its number.
    """
    content = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    content = [(number, line) for number, line in content if line]
    if not content:
        raise LoadError("the trace is empty: write one arrival offset in seconds a line, or lines of TIME,COUNT")
    return _counts(content) if "," in content[0][1] else _offsets(content)


def _offsets(content: Sequence[tuple[int, str]]) -> tuple[Slot, ...]:
    times = [_seconds(text, number) for number, text in content]
    _check_order(times, content)
    if times[0] < 0:
        raise LoadError(f"line {content[0][0]}: {times[0]:g} is before the start; offsets are 0 or more")
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return tuple(Slot(time, gap, 1, exact=True) for time, gap in zip(times, [*gaps, 0.0], strict=True))


def _counts(content: Sequence[tuple[int, str]]) -> tuple[Slot, ...]:
    rows = [_count_row(text, number) for number, text in _without_header(content)]
    content = content[len(content) - len(rows) :]
    times = [time for time, _ in rows]
    _check_order(times, content)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # Nothing follows the last line: it lasts as long as the one before it.
    gaps.append(gaps[-1] if gaps else 1.0)
    slots = [Slot(time, gap, count, exact=False) for (time, count), gap in zip(rows, gaps, strict=True)]
    return tuple(replace(slot, start_s=slot.start_s - times[0]) for slot in slots)


def _without_header(content: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """The lines behind a header: a first line with no digit in it."""
    headed = not any(character.isdigit() for character in content[0][1])
    if headed and len(content) == 1:
        raise LoadError("the trace has a header and no line of TIME,COUNT under it")
    return content[1:] if headed else content


def _count_row(text: str, number: int) -> tuple[float, int]:
    fields = [field.strip() for field in text.split(",")]
    if len(fields) != 2:
        raise LoadError(f"line {number}: {len(fields)} fields where TIME,COUNT are wanted: {text[:60]!r}")
    if not fields[1].isdecimal():
        raise LoadError(f"line {number}: the count {fields[1][:30]!r} is not a whole number of 0 or more")
    return _time(fields[0], number), int(fields[1])


def _time(text: str, number: int) -> float:
    """Seconds of a number or of an ISO time."""
    with suppress(ValueError):
        seconds = float(text)
        if math.isfinite(seconds):
            return seconds
    with suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    raise LoadError(f"line {number}: {text[:30]!r} is neither a time in seconds nor one in ISO 8601")


def _seconds(text: str, number: int) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if math.isfinite(seconds):
            return seconds
    raise LoadError(f"line {number}: {text[:30]!r} is not a time in seconds")


def _check_order(times: Sequence[float], content: Sequence[tuple[int, str]]) -> None:
    for place in range(1, len(times)):
        if times[place] < times[place - 1]:
            raise LoadError(f"line {content[place][0]}: {content[place][1][:40]!r} is earlier than the line before it")
