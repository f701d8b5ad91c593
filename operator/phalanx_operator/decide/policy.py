"""What a decision on one ensemble is bound by: the specs' fields, and the constants of the control loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from phalanx_operator.api.types import Accuracy, Autoscaling, Exits, ServingPool, StudentEnsemble, Students

LOWER_ABOVE: Final = 0.9
"""Share of the capacity at the present number of students above which one is dropped: queues grow without bound
at 1, and reach the objective somewhat before."""
RAISE_BELOW: Final = 0.7
"""Share of the capacity (and of the objective) with one student more, below which it comes back. The gap up to
`LOWER_ABOVE` is what keeps constant load from moving students to and fro."""
RAISE_AT_MOST: Final = 2
"""Students that come back at a time."""
COOL_DOWN_WINDOWS: Final = 1.0
"""Windows of the metrics between a change and a raise: by then they show the change in full."""
SETTLE_WINDOWS: Final = 0.7
"""Windows of the metrics after a change in which a missed objective is not yet blamed on the new number."""
UP_WINDOWS: Final = 1.0
"""Windows of the metrics for which load has to last before there are more workers: students answer a burst."""
CORRECT_WINDOWS: Final = 2.0
"""Windows for which workers have to be short, with a load that seems to fit, before there is one more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutPolicy:
    """One ensemble's bounds, as its own and its pool's spec have them."""

    digest: str
    students: Students = field(default_factory=Students)
    accuracy: Accuracy = field(default_factory=Accuracy)
    exits: Exits = field(default_factory=Exits)
    objective_p99_s: float = 0.05
    stale_after_s: float = 60.0
    paused: bool = False
    recommend_only: bool = False
    cool_down_s: float = 30.0
    settle_s: float = 20.0

    @classmethod
    def of(cls, pool: ServingPool, ensemble: StudentEnsemble) -> CutPolicy:
        """The policy that two resources amount to."""
        return cls(
            digest=ensemble.artifact.digest,
            students=ensemble.students,
            accuracy=ensemble.accuracy,
            exits=ensemble.exits,
            objective_p99_s=pool.objective_p99_s,
            stale_after_s=pool.metrics.stale_after_s,
            paused=pool.paused,
            recommend_only=pool.recommend_only,
            cool_down_s=COOL_DOWN_WINDOWS * pool.metrics.window_s,
            settle_s=SETTLE_WINDOWS * pool.metrics.window_s,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicasPolicy:
    """One pool's bounds on its number of workers. `count` is what the spec asks for."""

    low: int = 1
    high: int = 1
    count: int = 1
    autoscaling: Autoscaling = Autoscaling.OPERATOR
    objective_p99_s: float = 0.05
    stale_after_s: float = 60.0
    up_after_s: float = 30.0
    correct_after_s: float = 60.0
    paused: bool = False
    recommend_only: bool = False

    @classmethod
    def of(cls, pool: ServingPool) -> ReplicasPolicy:
        """The policy that a spec amounts to.

        The operator keeps one worker where a pool may have any: without one there would be no load to read, and nothing
        to bring the first one back.
        """
        bounds = pool.replicas
        least = 1 if pool.autoscaling is Autoscaling.OPERATOR and bounds.max > 0 else 0
        return cls(
            low=max(bounds.min, least),
            high=bounds.max,
            count=bounds.min if bounds.count is None else bounds.count,
            autoscaling=pool.autoscaling,
            objective_p99_s=pool.objective_p99_s,
            stale_after_s=pool.metrics.stale_after_s,
            up_after_s=UP_WINDOWS * pool.metrics.window_s,
            correct_after_s=CORRECT_WINDOWS * pool.metrics.window_s,
            paused=pool.paused,
            recommend_only=pool.recommend_only,
        )

    def clamped(self, count: int) -> int:
        """The number within the bounds."""
        return min(max(count, self.low), self.high)

    @property
    def said(self) -> str:
        """The bounds as the end of a sentence."""
        return f"; spec.replicas allows {self.low} to {self.high}"
