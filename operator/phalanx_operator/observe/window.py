"""Scrapes of one worker over a window, and what its series did meanwhile. Pure."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from phalanx_operator.observe.assemble import labels_of
from phalanx_operator.observe.exposition import Scrape
from phalanx_operator.observe.signals import Fold, Labels, Signal, Vector


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The scrapes of the last `length_s` seconds, oldest first, and one older so that the window is covered.

    Scrapes closer than `spacing_s` to the one before replace each other, except for the oldest: a long window
    needs few of them.
    """

    length_s: float
    spacing_s: float = 0.0
    scrapes: tuple[Scrape, ...] = ()

    def add(self, scrape: Scrape) -> Window:
        """The window after one more scrape; one that is not newer than the last is ignored.

        After a gap as long as the window it starts anew: an average over the gap would tell of a time that is over.
        """
        kept = list(self.scrapes)
        if kept and scrape.at <= kept[-1].at:
            return self
        if kept and scrape.at - kept[-1].at > self.length_s:
            kept.clear()
        if len(kept) >= 3 and kept[-1].at - kept[-2].at < self.spacing_s:
            kept.pop()
        kept.append(scrape)
        while len(kept) > 2 and kept[1].at <= scrape.at - self.length_s:
            kept.pop(0)
        return Window(length_s=self.length_s, spacing_s=self.spacing_s, scrapes=tuple(kept))

    @property
    def seconds(self) -> float:
        """The time between the first and the last scrape."""
        return self.scrapes[-1].at - self.scrapes[0].at if self.scrapes else 0.0

    def fold(self, signal: Signal) -> dict[Labels, float]:
        """One worker's part of a signal, by the series' own labels. Empty where two scrapes are needed yet."""
        if not self.scrapes:
            return {}
        if signal.fold is Fold.LAST:
            return dict(self.scrapes[-1].series.get(signal.series, {}))
        if self.seconds <= 0:
            return {}
        increases = _increases(self.scrapes, signal.series)
        divisor = self.seconds if signal.fold is Fold.RATE else 1.0
        return {labels: value / divisor for labels, value in increases.items()}


def _increases(scrapes: tuple[Scrape, ...], series: str) -> dict[Labels, float]:
    """How much each counter grew. One that fell was restarted from zero; one that is new started there."""
    total: dict[Labels, float] = {}
    for before, after in itertools.pairwise(scrapes):
        old = before.series.get(series, {})
        for labels, value in after.series.get(series, {}).items():
            previous = old.get(labels, 0.0)
            total[labels] = total.get(labels, 0.0) + (value - previous if value >= previous else value)
    return total


def total(windows: Iterable[Window], signal: Signal) -> Vector:
    """A signal summed over workers, by its labels. A sum with a NaN in it is unknown and left out."""
    sums: dict[Labels, float] = defaultdict(float)
    for window in windows:
        for labels, value in window.fold(signal).items():
            sums[labels_of(signal.labels, dict(labels))] += value
    return {labels: value for labels, value in sums.items() if not math.isnan(value)}
