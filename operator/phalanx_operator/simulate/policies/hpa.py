"""A HorizontalPodAutoscaler on the workers' utilisation, with a fixed number of students.

The algorithm is the documented one (kubernetes.io, "Horizontal Pod Autoscaling", algorithm details) with its defaults:
a look each 15 seconds, `desired = ceil(replicas * utilisation / target)`, a tolerance of a tenth, workers that are not
ready taken as idle when it would add some, at most the larger of 4 and 100 % more a look, and for less the
highest recommendation of the last five minutes.

Utilisation is the share of the capacity with these students that offered tokens take, at most 1. That is kinder than a
worker's CPU or GPU time, which small batches fill at a light load already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from phalanx_contract.plan import Cut
from phalanx_operator.api.types import Replicas
from phalanx_operator.simulate.policies.fixed import always
from phalanx_operator.simulate.policies.policy import Orders, Seen

SYNC_S: Final = 15.0
TOLERANCE: Final = 0.1
STABILISATION_S: Final = 300.0
TARGET: Final = 0.7
_MOST_NEW: Final = 4


@dataclass(slots=True)
class HorizontalPodAutoscaler:
    """One autoscaler; it remembers its recommendations, as (time, replicas)."""

    name: str
    students: int
    bounds: Replicas
    ensemble: str
    target: float = TARGET
    interval_s: float = SYNC_S
    _recommended: list[tuple[float, int]] = field(default_factory=list)

    @property
    def first_cut(self) -> Cut:
        """The only one."""
        return always(self.students)

    def decide(self, seen: Seen, *, now: float) -> Orders:
        """One look. Without metrics the number stays."""
        used = self._utilisation(seen)
        if used is None:
            return Orders(cut=self.first_cut, replicas=seen.live)
        wanted = recommend(used / self.target, live=seen.live, ready=seen.ready)
        self._recommended = [(at, count) for at, count in self._recommended if at > now - STABILISATION_S]
        self._recommended.append((now, wanted))
        if wanted < seen.live:
            wanted = min(max(count for _, count in self._recommended), seen.live)
        most = max(seen.live + _MOST_NEW, 2 * seen.live)
        replicas = min(max(min(wanted, most), self.bounds.min), self.bounds.max)
        return Orders(cut=self.first_cut, replicas=replicas)

    def _utilisation(self, seen: Seen) -> float | None:
        """Mean of the ready workers, at most 1; None while it is unknown."""
        observation = seen.observe()
        metrics = observation.ensembles.get(self.ensemble)
        if observation.problem or metrics is None or metrics.tokens_per_s is None:
            return None
        capacity = metrics.capacity_tokens_per_s.get(self.students, 0.0)
        return min(metrics.tokens_per_s / capacity, 1.0) if capacity > 0 else None


def recommend(ratio: float, *, live: int, ready: int) -> int:
    """The replicas for a ratio of utilisation to target, before stabilisation and bounds."""
    if ratio <= 1.0 or ready == live:
        return live if abs(ratio - 1.0) <= TOLERANCE else math.ceil(ratio * ready)
    # Those that start take load soon: for adding more they count as idle, and may turn the ratio round.
    over_all = ratio * ready / live
    if over_all <= 1.0 + TOLERANCE:
        return live
    return math.ceil(over_all * live)
