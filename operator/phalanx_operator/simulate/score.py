"""What a run was worth: objective violations, accuracy, cost, and how much moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from phalanx_operator.simulate.world import Second

MISSED_SHARE: Final = 0.01
"""A second misses the objective if more than so much of its texts are late or refused: its p99 is above it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One run.

    Attributes:
        arrived: texts; each is answered, refused, or waits at the end.
        late: answered after the objective.
        violating_s: seconds whose p99 missed the objective.
        worker_hours: of all workers, also of those that start.
        mean_students: over answers.
        disagreeing: share of the answers that are expected to differ from those of all students.
        worker_changes, ceiling_changes: how often their number was changed.
        turns: changes of the number of workers against the direction of the one before.
    """

    arrived: float
    answered: float
    refused: float
    waiting: float
    late: float
    violating_s: int
    worker_hours: float
    mean_students: float
    disagreeing: float
    worker_changes: int
    ceiling_changes: int
    turns: int

    @property
    def violations(self) -> float:
        """Texts that were not served as promised."""
        return self.late + self.refused

    @property
    def violating(self) -> float:
        """Their share of all."""
        return self.violations / self.arrived if self.arrived else 0.0


def score(seconds: Sequence[Second], wanted: Sequence[int], ceilings: Sequence[int]) -> Score:
    """The score of a run: its seconds, and by second the workers and the ceiling that were wanted."""
    answered = sum(second.answered for second in seconds)
    moves = [after - before for before, after in pairwise(wanted) if after != before]
    return Score(
        arrived=sum(second.arrived for second in seconds),
        answered=answered,
        refused=sum(second.refused for second in seconds),
        waiting=seconds[-1].waiting if seconds else 0.0,
        late=sum(second.late for second in seconds),
        violating_s=sum(map(missed, seconds)),
        worker_hours=sum(second.live for second in seconds) / 3600,
        mean_students=sum(second.student_texts for second in seconds) / answered if answered else 0.0,
        disagreeing=sum(second.differing for second in seconds) / answered if answered else 0.0,
        worker_changes=len(moves),
        ceiling_changes=sum(before != after for before, after in pairwise(ceilings)),
        turns=sum((first > 0) != (second > 0) for first, second in pairwise(moves)),
    )


def missed(second: Second) -> bool:
    """Whether the second's p99 is above the objective; what is refused counts as late."""
    return second.late + second.refused > MISSED_SHARE * (second.answered + second.refused)
