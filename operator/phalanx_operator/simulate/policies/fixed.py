"""Numbers that never move with the load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_contract.plan import Cut
from phalanx_operator.simulate.policies.policy import Orders, Seen


def always(students: int) -> Cut:
    """The cut with exactly so many students."""
    return Cut(students_floor=students, students_ceiling=students)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """So many students all the time, and `replicas[t]` workers in second t (the last one from the end on)."""

    name: str
    students: int
    replicas: Sequence[int]
    interval_s: float = 1.0

    @property
    def first_cut(self) -> Cut:
        """The only one."""
        return always(self.students)

    def decide(self, seen: Seen, *, now: float) -> Orders:
        """What was fixed."""
        return Orders(cut=self.first_cut, replicas=self.replicas[min(int(now), len(self.replicas) - 1)])
