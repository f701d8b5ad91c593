"""What thresholds cost in agreement and gain in rows, read off the ramps' histograms.

A text exits at a ramp if its score is strictly below the threshold, and a bucket counts scores up to and including its
bound: with a bucket's bound as the threshold, the bucket counts at least those that exit. What disagrees among them is
held against all texts, because a text that stays counts as right (Apparate, arXiv 2312.05385, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from phalanx_operator.decide.types import RampHistogram
from phalanx_operator.decide.wilson import upper_bound

Levels = tuple[int, ...]
"""For each ramp, how many of its buckets exit: 0 for none, i for the threshold `bounds[i - 1]`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The usable ramps of one window, by row; `rows` is the depth of the grid."""

    ramps: tuple[RampHistogram, ...]
    rows: int

    @classmethod
    def of(cls, ramps: tuple[RampHistogram, ...], *, rows: int, least_samples: float) -> Window:
        """Keeps ramps that have seen enough texts and have a row left to save, and of each the bounds up to 1."""
        kept = (_up_to_one(ramp) for ramp in sorted(ramps, key=lambda ramp: ramp.row) if ramp.row < rows - 1)
        return cls(ramps=tuple(ramp for ramp in kept if ramp.bounds and total(ramp) >= least_samples), rows=rows)

    def cost(self, levels: Levels) -> float:
        """Upper bound of the share of texts answered differently: the ramps' bounds added up (union bound)."""
        return sum(self._cost(ramp, level) for ramp, level in zip(self.ramps, levels, strict=True))

    def steps(self, levels: Levels, ceilings: Levels) -> Iterator[tuple[float, float, Levels]]:
        """Each way to raise one ramp by one bucket: rows saved per text, added cost, and the levels after it."""
        for index, (ramp, level) in enumerate(zip(self.ramps, levels, strict=True)):
            if level < ceilings[index]:
                gain = (_exits(ramp, level + 1) - _exits(ramp, level)) / total(ramp) * (self.rows - 1 - ramp.row)
                cost = self._cost(ramp, level + 1) - self._cost(ramp, level)
                yield gain, cost, (*levels[:index], level + 1, *levels[index + 1 :])

    def levels_of(self, thresholds: tuple[float, ...]) -> Levels:
        """The levels that these thresholds (by row) amount to, rounded down."""
        return tuple(
            sum(bound <= (thresholds[ramp.row] if ramp.row < len(thresholds) else 0.0) for bound in ramp.bounds)
            for ramp in self.ramps
        )

    def thresholds_of(self, levels: Levels) -> tuple[float, ...]:
        """Thresholds by row, trailing zeros left out."""
        by_row: Mapping[int, float] = {
            ramp.row: ramp.bounds[level - 1] for ramp, level in zip(self.ramps, levels, strict=True) if level
        }
        return tuple(by_row.get(row, 0.0) for row in range(max(by_row, default=-1) + 1))

    def tops(self) -> Levels:
        """The lowest bucket of each ramp that holds every text: above it nothing was seen that could speak for it."""
        return tuple(
            next(level for level in range(len(ramp.bounds) + 1) if _exits(ramp, level) >= total(ramp))
            for ramp in self.ramps
        )

    def _cost(self, ramp: RampHistogram, level: int) -> float:
        return upper_bound(ramp.differs[level - 1], total(ramp)) if level else 0.0


def total(ramp: RampHistogram) -> float:
    """Texts that the ramp has seen: a score is at most 1, so the last bucket holds all."""
    return ramp.agrees[-1] + ramp.differs[-1]


def _exits(ramp: RampHistogram, level: int) -> float:
    return ramp.agrees[level - 1] + ramp.differs[level - 1] if level else 0.0


def _up_to_one(ramp: RampHistogram) -> RampHistogram:
    count = sum(bound <= 1.0 for bound in ramp.bounds)
    return RampHistogram(
        row=ramp.row, bounds=ramp.bounds[:count], agrees=ramp.agrees[:count], differs=ramp.differs[:count]
    )
