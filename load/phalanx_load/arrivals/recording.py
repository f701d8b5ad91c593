"""What the lines of a trace mean.

A trace has one of two forms, with blank lines and lines after `#` left out:

    0.013              arrival offsets in seconds, ascending, one a line; times since 1970 count from the first one
    1700000000,42      a time and the number of requests from then to the next line's time (as CSV; a header may come
                       first; times are seconds or ISO 8601, such as 2026-01-31T12:00:00, in UTC unless they say)
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from phalanx_load.arrivals.trace import Slot
from phalanx_load.errors import LoadError

_EPOCH_S: Final = 1e8
"""An offset of three years is none: a first one beyond this is a time since 1970 (this one was in 1973)."""
_MILLISECONDS: Final = 1e11
"""A time beyond this is not in seconds: as such it would be in the year 5138, as milliseconds it is in 1973."""
_DIGITS: Final = 15
"""A count with more is more than any run can hold."""
_WHOLE: Final = re.compile(r"([0-9]+)(\.0*)?")
_BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Line:
    """One that holds something, with its number in the file."""

    number: int
    text: str
    fields: tuple[str, ...]


def read_trace(lines: Iterable[str]) -> tuple[Slot, ...]:
    """The slots of a trace, shifted so that the first starts at 0 (offsets stay as they are).

    Raises:
        LoadError: a line is not as the trace's form has it; the text names its number.
    """
    texts = ((number, text.removeprefix(_BYTE_ORDER_MARK).partition("#")[0]) for number, text in enumerate(lines, 1))
    content = [_line(number, text.strip()) for number, text in texts if text.strip()]
    if not content:
        raise LoadError("the trace is empty: write one arrival offset in seconds a line, or lines of TIME,COUNT")
    return _offsets(content) if len(content[0].fields) == 1 else _counts(_without_header(content))


def _line(number: int, text: str) -> _Line:
    try:
        (fields,) = csv.reader([text], skipinitialspace=True)
    except csv.Error as error:
        raise LoadError(f"line {number}: {error}: {text[:40]!r}") from error
    return _Line(number, text, tuple(field.strip() for field in fields))


def _offsets(content: Sequence[_Line]) -> tuple[Slot, ...]:
    times = [_offset(line) for line in content]
    _check_times(times, content)
    if times[0] < 0:
        raise LoadError(f"line {content[0].number}: {times[0]:g} is before the start; offsets are 0 or more")
    start_s = times[0] if times[0] > _EPOCH_S else 0.0
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return tuple(Slot(time - start_s, gap, 1, exact=True) for time, gap in zip(times, [*gaps, 0.0], strict=True))


def _counts(content: Sequence[_Line]) -> tuple[Slot, ...]:
    rows = [_count_row(line) for line in content]
    times = [time for time, _ in rows]
    _check_times(times, content)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # Nothing follows the last line: it lasts as long as the one before it.
    gaps.append(gaps[-1] if gaps else 1.0)
    slots = [Slot(time, gap, count, exact=False) for (time, count), gap in zip(rows, gaps, strict=True)]
    return tuple(replace(slot, start_s=slot.start_s - times[0]) for slot in slots)


def _without_header(content: Sequence[_Line]) -> Sequence[_Line]:
    """The lines behind a header: a first line that neither begins as a time does nor has a number next."""
    time, count, *_ = content[0].fields
    headed = time[:1] not in set("0123456789+-.") and _number(count) is None
    if headed and len(content) == 1:
        raise LoadError("the trace has a header and no line of TIME,COUNT under it")
    return content[1:] if headed else content


def _count_row(line: _Line) -> tuple[float, int]:
    if len(line.fields) != 2:
        raise LoadError(
            f"line {line.number}: {len(line.fields)} fields where TIME,COUNT are wanted: {line.text[:60]!r}"
        )
    time, count = line.fields
    whole = _WHOLE.fullmatch(count)
    if whole is None:
        raise LoadError(f"line {line.number}: the count {count[:30]!r} is not a whole number of 0 or more")
    if len(whole[1]) > _DIGITS:
        raise LoadError(f"line {line.number}: a count of {len(whole[1])} digits is more than a run can hold")
    return _time(time, line.number), int(whole[1])


def _time(text: str, number: int) -> float:
    """Seconds of a number or of an ISO time."""
    seconds = _number(text)
    if seconds is not None:
        return seconds
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        # Not in this machine's zone: half an hour of spring and an hour of autumn would be missing or double there.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    raise LoadError(f"line {number}: {text[:30]!r} is neither a time in seconds nor one in ISO 8601")


def _offset(line: _Line) -> float:
    seconds = _number(line.fields[0]) if len(line.fields) == 1 else None
    if seconds is None:
        raise LoadError(f"line {line.number}: {line.text[:30]!r} is not a time in seconds")
    return seconds


def _number(text: str) -> float | None:
    """A finite number, if it is one."""
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    return None


def _check_times(times: Sequence[float], content: Sequence[_Line]) -> None:
    """They are in seconds, and ascend."""
    if times[0] > _MILLISECONDS:
        raise LoadError(f"line {content[0].number}: {times[0]:.0f} is no time in seconds; divide milliseconds by 1000")
    for place, (earlier, later) in enumerate(pairwise(times), 1):
        if later < earlier:
            line = content[place]
            raise LoadError(f"line {line.number}: {line.text[:40]!r} is earlier than the line before it")
