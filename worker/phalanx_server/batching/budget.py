"""The accuracy budget: how many answers fewer students may change, and when that is spent.

With k students an answer differs from that of all students with the probability `losses[k-1]`, measured on held-out
texts. The plan allows a share of the texts to differ, on average over a window. What was answered and what differed are
sums that decay with the window, and

    left = allowed * texts - differing

is never negative: answers of all students earn what a burst spends. Students that differ on no more than the allowed
share earn too, so they may always go on. Fewer may as long as `left` pays for the next batch, whatever its size; once
it does not, the budget is spent, and the floor rises to the fewest students that earn. It falls again when a fourth of
the window's budget is back, so that the floor does not flutter. Time alone never overdraws: it shrinks both sums alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from phalanx_server.batching.burst import Bounds

_ROUNDING: Final = 1e-9

_RETURN: Final = 0.25
"""Share of the window's budget that has to be back before it is spent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetPolicy:
    """What may be spent.

    losses: share of answers that differ, by number of students; see `losses_of`.
    allowed: share that may differ on average; None sets no bound.
    window_s: time constant of the average.
    texts: most texts of a batch.
    """

    losses: Sequence[float]
    allowed: float | None = None
    window_s: float = 300.0
    texts: int = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Texts answered and answers expected to differ, both decayed up to `at_s`; and whether the budget is spent."""

    texts: float = 0.0
    differing: float = 0.0
    at_s: float = 0.0
    spent: bool = False

    def at(self, now_s: float, *, window_s: float) -> Budget:
        """Some time later."""
        weight = math.exp(-max(now_s - self.at_s, 0.0) / window_s)
        return replace(self, texts=self.texts * weight, differing=self.differing * weight, at_s=max(now_s, self.at_s))

    def charged(self, *, texts: int, students: int, policy: BudgetPolicy) -> Budget:
        """With the batch more that was decided on at `at_s`."""
        differing = self.differing + texts * loss(policy.losses, students)
        return replace(self, texts=self.texts + texts, differing=differing)

    def left(self, allowed: float) -> float:
        """How many answers may still differ."""
        return allowed * self.texts - self.differing

    def share_left(self, allowed: float) -> float:
        """Of the window's budget, from 0 to 1."""
        whole = allowed * self.texts
        return min(max(1.0 - self.differing / whole, 0.0), 1.0) if whole > 0 else 1.0


def losses_of(agreement: Sequence[float]) -> tuple[float, ...]:
    """Share of answers that differ from those of all students, by number of students; more never cost more.

    `agreement[k-1]` is the held-out agreement of k students with all of them.
    """
    differing = [max(1.0 - agrees, 0.0) for agrees in agreement[:-1]] + [0.0] * bool(agreement)
    return tuple(accumulate(reversed(differing), max))[::-1]


def loss(losses: Sequence[float], students: int) -> float:
    """For so many students; 0 where nothing was measured."""
    return losses[students - 1] if students <= len(losses) else 0.0


def keep_budget(budget: Budget, bounds: Bounds, policy: BudgetPolicy, *, now_s: float) -> tuple[Budget, Bounds]:
    """The budget now, and the plan's bounds with the floor raised while it is spent; never above the ceiling."""
    budget = budget.at(now_s, window_s=policy.window_s)
    if policy.allowed is None:
        return replace(budget, spent=False), bounds
    needed = policy.texts * (loss(policy.losses, bounds.floor) - policy.allowed - _ROUNDING)
    left = budget.left(policy.allowed)
    enough = max(2 * needed, _RETURN * policy.allowed * budget.texts) if budget.spent else needed
    spent = needed > 0 and left < enough
    floor = _lasting(policy.losses, policy.allowed, bounds) if spent else bounds.floor
    return replace(budget, spent=spent), replace(bounds, floor=floor)


def _lasting(losses: Sequence[float], allowed: float, bounds: Bounds) -> int:
    """The fewest students that stay within the budget however long a burst lasts."""
    counts = range(bounds.floor, bounds.ceiling)
    return next((k for k in counts if loss(losses, k) <= allowed + _ROUNDING), bounds.ceiling)
