"""Which events are new, which repeat an earlier one, and which are only counted. Pure.

A loop, such as a worker that crashes again and again, says the same for hours. It gets one event with a count, which is
written now and then; and however much there is to say of one object, it gets a bounded number of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

QUIET_S: Final = 600.0
"""After so long without a repetition, the same is news again."""
WRITE_EVERY_S: Final = 60.0
"""How often a count is written at most; the first repetition is written at once."""
MOST_NEW: Final = 20
"""Events on one object within `QUIET_S`. What is more is counted with the latest event of its kind."""

Kind = tuple[str, str]
"""Reason and action."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event that was posted: its name, its text, how often it was so, and when (s) it was seen and written last."""

    name: str
    text: str
    count: int
    seen_at: float
    written_at: float


@dataclass(frozen=True, slots=True)
class Diary:
    """What was told of one object: the latest event of each kind, and when events were new."""

    told: Mapping[Kind, Told] = field(default_factory=dict)
    news: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What to do about a note: post `name` as a new event, or write `count` to it; 0 for nothing."""

    diary: Diary
    name: str
    new: bool
    count: int = 0


def enter(diary: Diary, kind: Kind, text: str, *, name: str, now: float) -> Entry:
    """Take a note down at `now` (s); `name` is for the event if it is a new one."""
    told = {each: event for each, event in diary.told.items() if now - event.seen_at <= QUIET_S}
    news = tuple(at for at in diary.news if now - at <= QUIET_S)
    known = told.get(kind)
    if known is None or (known.text != text and len(news) < MOST_NEW):
        if known is None and len(news) >= MOST_NEW:
            return Entry(Diary(told, news), "", new=False)
        first = Told(name=name, text=text, count=1, seen_at=now, written_at=now)
        return Entry(Diary({**told, kind: first}, (*news, now)), name, new=True)
    again = replace(known, count=known.count + 1, seen_at=now)
    due = again.count == 2 or now - known.written_at >= WRITE_EVERY_S
    if due:
        again = replace(again, written_at=now)
    return Entry(Diary({**told, kind: again}, news), known.name, new=False, count=again.count if due else 0)
