"""Whether the watches live. Pure: time is an argument.

A quiet watch and a dead one look alike, so silence proves nothing. What does: a list that shows a change, and a watch
that has not told of it long after, though every watch begins anew within that time.
"""

from __future__ import annotations

from typing import Final

from phalanx_operator import tally

DEAD_AFTER_S: Final = 330.0
"""Longer than the longest that a watch lives (`settings.WATCH_CLIENT_TIMEOUT_S`)."""
SAME_LIST_S: Final = 10.0
"""Objects of one list come one by one; those of the next list come later than that."""


class Pulse:
    """What was heard of each kind, and what should have been; times in seconds of one clock."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}
        self._missed: dict[str, float] = {}
        self._listed: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Pulse of {', '.join(sorted(self._heard))}>"

    def heard(self, kind: str, *, listed: bool, now: float) -> None:
        """A watch told of an object; `listed` if from the list that it begins with."""
        self._heard[kind] = now
        if listed:
            if kind in self._listed and now - self._listed[kind] > SAME_LIST_S:
                tally.WATCH_RESTARTS.labels(kind=kind).inc()
            self._listed[kind] = now

    def missed(self, kind: str, *, changes: int, now: float) -> None:
        """A list showed changes that no watch had told of; some may have been on their way."""
        if changes:
            tally.MISSED.labels(kind=kind).inc(changes)
            if self._is_answered(kind):
                self._missed[kind] = now

    def problem(self, now: float) -> str:
        """Which watches are dead; empty if none is known to be."""
        dead = [kind for kind, at in self._missed.items() if not self._is_answered(kind) and now - at > DEAD_AFTER_S]
        return f"no watch tells of changes of {', '.join(sorted(dead))}" if dead else ""

    def _is_answered(self, kind: str) -> bool:
        """Whether something was heard since changes were missed."""
        return self._heard.get(kind, float("-inf")) > self._missed.get(kind, float("-inf")) or kind not in self._missed
