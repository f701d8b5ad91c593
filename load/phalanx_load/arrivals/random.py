"""Poisson arrivals: independent clients, none of whom knows of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from phalanx_load.arrivals.schedule import Phase, Schedule, bounded, spans_of


def poisson(phases: Sequence[Phase], *, seed: int, requests: int | None = None) -> Schedule:
    """Exponential gaps at each phase's rate. Memoryless, so every phase starts afresh. At most so many requests.

    Raises:
        LoadError: no request falls into the phases, or too many do.
    """
    expected = sum(phase.rate * phase.seconds for phase in phases)
    due_s = bounded(_times(phases, Random(seed)), expected=expected, requests=requests)
    return Schedule(due_s, spans_of(phases)).until(requests=requests)


def _times(phases: Sequence[Phase], chance: Random) -> Iterator[float]:
    for phase, span in zip(phases, spans_of(phases), strict=True):
        if phase.rate <= 0:
            continue
        at = span.start_s + chance.expovariate(phase.rate)
        while at < span.end_s:
            yield at
            at += chance.expovariate(phase.rate)
