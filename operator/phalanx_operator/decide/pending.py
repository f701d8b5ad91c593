"""Workers that were asked for and are not ready: for how long they keep others from being asked for.

What they bring has to be seen first, but one that never comes must not keep a pool from growing: after a time more are
asked for, and those that have a node and do not become ready count as absent. One that no node takes, or that cannot be
created, does not: a further one would not be taken either, and it serves as soon as there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_operator.decide.types import WorkerView

PENDING_S: Final = 240.0
"""How long workers that were asked for may take, from the last time that more were asked for.

Longer than a start with a large image and a slow disk. Shorter than the five minutes for which a number that was needed
is remembered, so that an absent worker's place is not given up while the one that stands in for it starts.
"""
AT_LEAST: Final = 4
"""Absent workers that others may stand in for, or as many as are ready if that is more: where still more do not come it
is a fault of them all, such as an image that is not there, and others would not come either."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """How many workers are not ready, since when some have not been, and how many are counted on no more.

    `said` is a sentence with one of them; empty if all are ready, and then `since` is None.
    """

    count: int = 0
    said: str = ""
    since: float | None = None
    overdue: bool = False
    absent: int = 0

    @property
    def blocks(self) -> bool:
        """Whether more have to wait for them."""
        return self.count > 0 and not self.overdue

    @property
    def counted_on(self) -> int:
        """How many of them may still bring something."""
        return self.count - self.absent


def pending_of(workers: Sequence[WorkerView], live: int, *, since: float | None, now: float) -> Pending:
    """Those of the `live` workers asked for that are not ready; `since` as it was known before."""
    ready = sum(worker.ready for worker in workers)
    if ready >= live:
        return Pending()
    count, since = live - ready, now if since is None else min(since, now)
    placed = [each for each in workers if not each.ready and each.problem is not Reason.WORKERS_UNSCHEDULABLE]
    overdue = now - since >= PENDING_S
    absent = min(len(placed), count, max(ready, AT_LEAST)) if overdue else 0
    said = f"{count} of them {_not_ready(workers)}"
    if absent:
        said = f"{count} of them, such as {placed[0].name}, did not become ready in {PENDING_S:g} s{_cause(placed[0])}"
    return Pending(count=count, said=said, since=since, overdue=overdue, absent=absent)


def _not_ready(workers: Sequence[WorkerView]) -> str:
    troubled = [worker for worker in workers if worker.problem is not None]
    return f"are not ready yet{f': {troubled[0].name}{_cause(troubled[0])}' if troubled else ''}"


def _cause(worker: WorkerView) -> str:
    return f": {worker.message}" if worker.message else ""
