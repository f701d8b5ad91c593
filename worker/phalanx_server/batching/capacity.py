"""How fast the device computes a batch with k students: measured at warm-up, corrected by every batch.

A batch of T tokens with k students is modelled to take `fixed_s[k] + T / tokens_per_s[k]`: small batches are bound by
launches, large ones by arithmetic, and a queue drains in large ones.

Every batch moves the prediction by a tenth of what it was off, in the logarithm. How far batches usually are off is
learned too, and more than chance explains is not made of one batch. But one that is slower by more moves it twice as
far, and a second one in a row four times: a device that slows as a burst begins (clients on the same cores, a hot chip)
has to be known before the queue is long. If the next batch is as fast as ever, the slow one was an accident (a page
fault, a busy neighbour), and counts as chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

_WEIGHT: Final = 0.1
_SURPRISE_WEIGHT: Final = 0.2
_CONFIRMED_WEIGHT: Final = 0.4
"""What a batch that is no chance counts, and what a second one in a row does."""
_SURPRISE: Final = 2.0
"""A batch that is slower than predicted by so many times what is usual is no chance."""
_USUAL: Final = 0.1
"""The least that batches are usually off by (mean absolute deviation of the logarithm); assumed at first."""

_SHARED: Final = 0.9
"""What a batch with k students says of other counts, relative to what it says of k: a slow machine is slow
for all, but each count has its own shape."""

_OUTLIER: Final = math.log(4.0)
"""No batch counts as more than so many times faster or slower than predicted, in the logarithm."""

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
    """The cost of every number of students, `costs[k-1]`, for batches of at most `batch_tokens`.

    `usual` is by how much batches are usually off, the mean absolute deviation of the logarithm; `before` is what the
    costs would be if the latest batch, slower by more than chance explains, was an accident.
    """

    costs: tuple[Cost, ...]
    batch_tokens: int = 4096
    usual: float = _USUAL
    before: tuple[Cost, ...] | None = None

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
        trusted = self
        if self.before is not None:
            sober = replace(self, costs=self.before, before=None)
            accident = sober._off(students, tokens, seconds) >= -sober._chance
            trusted = sober if accident else replace(self, before=None)
        return trusted._learned(students, trusted._off(students, tokens, seconds), again=self.before is not None)

    def _learned(self, students: int, off: float, *, again: bool) -> Capacity:
        surprise, usual = off < -self._chance, min(max(off, -self._chance), self._chance)
        sober = self._moved(students, _WEIGHT * usual)
        weight = _CONFIRMED_WEIGHT if again else _SURPRISE_WEIGHT
        costs = self._moved(students, weight * off) if surprise else sober
        deviation = self.usual if surprise else max(self.usual + _WEIGHT * (abs(off) - self.usual), _USUAL)
        return replace(self, costs=costs, usual=deviation, before=sober if surprise and not again else None)

    def _moved(self, students: int, step: float) -> tuple[Cost, ...]:
        """All costs, faster by a step in the logarithm; other counts by a part of it."""
        own, shared, index = math.exp(step), math.exp(step * _SHARED), self._index(students)
        return tuple(cost.scaled(own if place == index else shared) for place, cost in enumerate(self.costs))

    def _off(self, students: int, tokens: int, seconds: float) -> float:
        """The logarithm of predicted over actual time: negative for a batch that was slower than predicted."""
        off = math.log(self._cost(students).seconds(tokens) / seconds)
        return min(max(off, -_OUTLIER), _OUTLIER)

    @property
    def _chance(self) -> float:
        return _SURPRISE * self.usual

    def _cost(self, students: int) -> Cost:
        return self.costs[self._index(students)]

    def _index(self, students: int) -> int:
        return min(max(students, 1), len(self.costs)) - 1
