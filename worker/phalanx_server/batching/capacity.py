"""How fast the device computes a batch with k students: measured at warm-up, corrected by every batch.

A batch of T tokens with k students is modelled to take `fixed_s[k] + T / tokens_per_s[k]`: small batches are bound by
launches, large ones by arithmetic, and a queue drains in large ones.

Every batch moves the prediction by a tenth of what it was off, in the logarithm. One that is slower by more than chance
explains moves it three times as far: a device that slows as a burst begins (clients on the same cores, a hot chip) has
to be known before the queue is long, while taking it for slow a little longer costs some accuracy at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

_WEIGHT: Final = 0.1
_SURPRISE_WEIGHT: Final = 0.3
_SURPRISE: Final = 1.2
"""A batch that takes so many times as long as predicted is no chance."""

_SHARED: Final = 0.75
"""What a batch with k students says of other counts, relative to what it says of k: a slow machine is slow
for all, but each count has its own shape."""

_OUTLIER: Final = 4.0
"""One batch counts as at most this many times faster or slower than predicted (a page fault, a busy neighbour)."""

MIN_BATCH_TOKENS: Final = 128
"""However tight the objective: below it, launching costs more than computing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Seconds for launching a batch, and tokens a second beyond that."""

    fixed_s: float
    tokens_per_s: float

    def seconds(self, tokens: float) -> float:
        """Predicted time of one batch."""
        return self.fixed_s + tokens / self.tokens_per_s

    def scaled(self, factor: float) -> Cost:
        """The same shape, `factor` times faster."""
        return Cost(fixed_s=self.fixed_s / factor, tokens_per_s=self.tokens_per_s * factor)


def fit(*, small: tuple[int, float], large: tuple[int, float]) -> Cost:
    """The cost through two measured batches, each (tokens, seconds); noise may not make any part negative."""
    (few, fast_s), (many, slow_s) = small, large
    per_token_s = max((slow_s - fast_s) / max(many - few, 1), slow_s / many / 8)
    return Cost(fixed_s=max(slow_s - many * per_token_s, 1e-6), tokens_per_s=1.0 / per_token_s)


@dataclass(frozen=True, slots=True)
class Capacity:
    """The cost of every number of students, `costs[k-1]`, for batches of at most `batch_tokens`."""

    costs: tuple[Cost, ...]
    batch_tokens: int = 4096

    def tokens_per_s(self, students: int) -> float:
        """The rate at which a long queue drains with so many students."""
        return self.batch_tokens / self._cost(students).seconds(self.batch_tokens)

    def seconds(self, *, students: int, tokens: float) -> float:
        """Predicted time of one batch."""
        return self._cost(students).seconds(tokens)

    def within(self, *, students: int, seconds: float) -> Capacity:
        """The same in batches that take so long at most with so many students."""
        return replace(
            self, batch_tokens=min(self.batch_tokens, self.tokens_within(students=students, seconds=seconds))
        )

    def drain_s(self, *, students: int, tokens: int) -> float:
        """Predicted time until a backlog has been computed; monotone in `tokens`."""
        if tokens <= 0:
            return 0.0
        cost = self._cost(students)
        return math.ceil(tokens / self.batch_tokens) * cost.fixed_s + tokens / cost.tokens_per_s

    def tokens_within(self, *, students: int, seconds: float) -> int:
        """The largest batch that takes so long at most; never less than `MIN_BATCH_TOKENS`."""
        cost = self._cost(students)
        return max(int((seconds - cost.fixed_s) * cost.tokens_per_s), MIN_BATCH_TOKENS)

    def observe(self, *, students: int, tokens: int, seconds: float) -> Capacity:
        """Learn from a batch: an exponential average (in the logarithm) of predicted over actual time."""
        if tokens <= 0 or not seconds > 0 or not math.isfinite(seconds):
            return self
        ratio = self._cost(students).seconds(tokens) / seconds
        weight = _SURPRISE_WEIGHT if ratio * _SURPRISE < 1 else _WEIGHT
        ratio = min(max(ratio, 1 / _OUTLIER), _OUTLIER)
        own, shared = ratio**weight, ratio ** (weight * _SHARED)
        index = self._index(students)
        return replace(self, costs=_scale(self.costs, index=index, own=own, shared=shared))

    def _cost(self, students: int) -> Cost:
        return self.costs[self._index(students)]

    def _index(self, students: int) -> int:
        return min(max(students, 1), len(self.costs)) - 1


def _scale(costs: Sequence[Cost], *, index: int, own: float, shared: float) -> tuple[Cost, ...]:
    return tuple(cost.scaled(own if place == index else shared) for place, cost in enumerate(costs))
