"""The worker's burst guard and its accuracy budget, once a second instead of for each batch.

The real ones are `phalanx_server.batching.burst` and `.budget`, which the operator may not import. The rules are the
same: down at once and as far as needed, up one by one where there is room, the floor up while the budget is spent. What
is left out is what happens within a second, and that a student which came back too early stays away for longer. A test
holds this model to the real guard in virtual time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from phalanx_contract.plan import Cut
from phalanx_operator.simulate.latency import Batches
from phalanx_operator.simulate.profile import BATCH_SHARE, Profile

_SHARE, _DROP_SHARE, _RAISE_SHARE, _RAISE_LOAD = 0.85, 0.5, 0.75, 0.85
"""As in the real guard's policy."""
_CHANCE: Final = 3.3
"""Standard deviations that make the longest batch of a minute: the one that the guard drops a student for."""
_WINDOW_S: Final = 300.0
_BATCH_TEXTS: Final = 64
_RETURN: Final = 0.25
"""As in the real budget: its window, the most texts of a batch, and the share that has to be back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What one worker's guard looks at: texts a second that arrive, and texts that wait."""

    profile: Profile
    objective_s: float
    texts_per_s: float
    waiting: float

    @property
    def batch_s(self) -> float:
        """The longest batch."""
        return BATCH_SHARE * self.objective_s

    def load(self, students: int, *, sure: float = 0.0) -> float:
        """Arrivals as a share of what is computed; `sure` -1 for what they surely are, 1 for what they may be."""
        offered = self.texts_per_s + sure * math.sqrt(2 * self.texts_per_s)
        return offered / self.profile.cost(students).texts_per_s(self.batch_s)

    def latency_s(self, students: int, *, chance: float = _CHANCE) -> float:
        """What a text that arrives now would take."""
        cost = self.profile.cost(students)
        batches = Batches.of(cost, self.texts_per_s, longest_s=self.batch_s, noise=self.profile.noise)
        before_s = batches.next_s(batches.length_s(chance, met=False))
        return self.waiting / cost.texts_per_s(self.batch_s) + before_s + batches.next_s(before_s)

    def holds(self, students: int, *, share: float = 1.0) -> bool:
        """Whether so many may go on, within a share of the latency that is allowed."""
        return self.latency_s(students) <= share * _SHARE * self.objective_s and self.load(students, sure=-1) <= 1.0

    def room(self, students: int) -> bool:
        """Whether so many would have room to spare."""
        least_s = 2 * self.profile.cost(students).fixed_s
        allowed_s = least_s + (_SHARE * self.objective_s - least_s) * _RAISE_SHARE
        return self.latency_s(students, chance=0.0) <= allowed_s and self.load(students, sure=1) <= _RAISE_LOAD


def pick_students(current: int, view: View, *, floor: int, ceiling: int) -> int:
    """The students of the next second, within the bounds always."""
    current = min(max(current, floor), ceiling)
    if current > floor and not view.holds(current):
        share = _DROP_SHARE if view.load(current, sure=1) > 1.0 else 1.0
        return next((k for k in range(current - 1, floor, -1) if view.holds(k, share=share)), floor)
    return current + 1 if current < ceiling and view.room(current + 1) else current


@dataclass(frozen=True, slots=True)
class Budget:
    """Texts answered and answers expected to differ, both decayed over the window; and whether it is spent."""

    texts: float = 0.0
    differing: float = 0.0
    spent: bool = False

    def floor(self, cut: Cut, ceiling: int, profile: Profile) -> tuple[Budget, int]:
        """The budget with the verdict of now, and the fewest students that it allows."""
        if cut.burst_loss is None:
            return replace(self, spent=False), min(cut.students_floor, ceiling)
        lowest = min(cut.students_floor, ceiling)
        needed = _BATCH_TEXTS * (profile.loss(lowest) - cut.burst_loss - 1e-9)
        earned = _RETURN * cut.burst_loss * self.texts
        enough = max(2 * needed, earned) if self.spent else needed
        spent = needed > 0 and cut.burst_loss * self.texts - self.differing < enough
        lasting = (k for k in range(lowest, ceiling) if profile.loss(k) <= cut.burst_loss + 1e-9)
        return replace(self, spent=spent), next(lasting, ceiling) if spent else lowest

    def charged(self, *, texts: float, students: int, profile: Profile, seconds: float) -> Budget:
        """After some seconds in which so many texts were answered."""
        kept = math.exp(-seconds / _WINDOW_S)
        return Budget(
            texts=self.texts * kept + texts,
            differing=self.differing * kept + texts * profile.loss(students),
            spent=self.spent,
        )
