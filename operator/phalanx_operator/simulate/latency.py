"""How latencies spread while batches follow each other: pieces, each evenly spread between two bounds.

A text that finds the device idle is a batch of its own. One that finds it busy waits for the rest of the running batch,
then for its own, which holds all that came meanwhile. So batches last `T = fixed + arrivals * T * text` on average,
which is `fixed / (1 - load)` with `load = arrivals * text`. Chance makes single ones longer: arrivals are Poisson, and
a long batch gathers many texts for the next one, which multiplies the variance by `1 / (1 - load^2)`. Their lengths are
taken as gamma distributed; a long batch is met by more texts than a short one, so those that texts meet have one more
in the distribution's shape. Behind a queue its wait is added to what texts take at the worker's capacity: chance does
not end where the queue begins, and a higher load is never answered earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phalanx_operator.simulate.profile import Cost

_NORMAL: Final = ((0.25, -1.2), (0.25, -0.35), (0.25, 0.35), (0.15, 0.95), (0.08, 1.7), (0.02, 2.5))
"""Weights and places (standard deviations) that stand for a normal distribution; the tail has points of its own."""
_LENGTHS: Final = 1.7
"""Variance that texts of different lengths add to a batch's time, as a factor."""
_HALVINGS: Final = 24


@dataclass(frozen=True, slots=True)
class Piece:
    """A share of the texts, evenly spread over latencies from `low_s` to `high_s`."""

    share: float
    low_s: float
    high_s: float

    def within(self, bound_s: float) -> float:
        """The part of all texts that is in this piece and below the bound."""
        if bound_s >= self.high_s:
            return self.share
        if bound_s <= self.low_s:
            return 0.0
        return self.share * (bound_s - self.low_s) / (self.high_s - self.low_s)


Spread = tuple[Piece, ...]
"""Pieces whose shares add up to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batches:
    """Batches one after the other at an arrival rate: `batch_s` is their mean length, `deviation_s` how it varies."""

    cost: Cost
    texts_per_s: float
    batch_s: float
    deviation_s: float

    @classmethod
    def of(cls, cost: Cost, texts_per_s: float, *, longest_s: float, noise: float) -> Batches:
        """Those that a worker makes: at most `longest_s` long on average, one text at least."""
        load = min(texts_per_s * cost.text_s, 1.0 - cost.fixed_s / max(longest_s, 2 * cost.fixed_s))
        batch_s = max(cost.fixed_s / (1.0 - load), cost.fixed_s + cost.text_s)
        chance = cost.text_s**2 * texts_per_s * batch_s * _LENGTHS / (1.0 - load**2)
        return cls(
            cost=cost,
            texts_per_s=texts_per_s,
            batch_s=batch_s,
            deviation_s=math.sqrt(chance + (noise * batch_s) ** 2),
        )

    @property
    def busy_share(self) -> float:
        """The share of the time in which the device computes, and so of the texts that find it busy.

        That is what the texts take as batches of their own, up to the whole time: a smooth minimum of both, since they
        gather in batches the more the busier it is. Small batches keep a device busy at a light load already.
        """
        alone = self.texts_per_s * (self.cost.fixed_s + self.cost.text_s)
        return max(alone / math.sqrt(math.sqrt(1.0 + alone**4)), min(self.texts_per_s * self.cost.text_s, 1.0))

    def length_s(self, place: float, *, met: bool) -> float:
        """The length of a batch so many standard deviations from the mean, of all or of those that texts meet."""
        scale_s = self.deviation_s**2 / self.batch_s
        if scale_s <= 0:
            return self.batch_s
        shape = self.batch_s / scale_s + met
        # Wilson and Hilferty 1931: the cube root of a gamma variable is nearly normal.
        root = max(1.0 - 1.0 / (9.0 * shape) + place / (3.0 * math.sqrt(shape)), 0.0)
        return scale_s * shape * root * root * root

    def next_s(self, batch_s: float) -> float:
        """The length of the batch that gathered while one of this length ran."""
        return self.cost.fixed_s + self.cost.text_s * (1.0 + self.texts_per_s * batch_s)

    def spread(self, noise: float) -> Spread:
        """Latencies while there is no queue beyond the running batch."""
        alone_s, waits = self.cost.fixed_s + self.cost.text_s, self.busy_share
        pieces = []
        if waits < 1.0:
            pieces.append(Piece(1.0 - waits, alone_s * (1.0 - noise), alone_s * (1.0 + 2 * noise) + 1e-9))
        for weight, place in _NORMAL if waits > 0 else ():
            before_s = self.length_s(place, met=True)
            own_s = self.next_s(before_s)
            pieces.append(Piece(waits * weight, own_s, own_s + before_s + 1e-9))
        return tuple(pieces)


def within(spread: Spread, bound_s: float) -> float:
    """The share of texts that is answered within a time."""
    return sum(piece.within(bound_s) for piece in spread)


def later(spread: Spread, *, from_s: float, to_s: float) -> Spread:
    """The same texts behind a queue whose wait goes from one length to the other."""
    low_s, high_s = min(from_s, to_s), max(from_s, to_s)
    parts = 1 if high_s - low_s < 1e-3 else 4
    waits = [low_s + (high_s - low_s) * (part + 0.5) / parts for part in range(parts)]
    return tuple(Piece(p.share / parts, p.low_s + wait_s, p.high_s + wait_s) for wait_s in waits for p in spread)


def quantile(parts: Sequence[tuple[float, Spread]], share: float) -> float | None:
    """The latency within which a share of the texts is answered; parts are (texts, their spread). None for no texts."""
    same: dict[Spread, float] = {}
    for texts, spread in parts:
        same[spread] = same.get(spread, 0.0) + texts
    total = sum(same.values())
    if total <= 0:
        return None
    low_s, high_s = 0.0, max(piece.high_s for spread in same for piece in spread)
    for _ in range(_HALVINGS):
        middle_s = (low_s + high_s) / 2
        if sum(texts * within(spread, middle_s) for spread, texts in same.items()) < share * total:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s
