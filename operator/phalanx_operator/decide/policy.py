"""What a decision on one ensemble is bound by: the specs' fields, and the constants of the control loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from phalanx_operator.api.types import Accuracy, Exits, ServingPool, StudentEnsemble, Students

LOWER_ABOVE: Final = 0.9
"""Share of the capacity at the present number of students above which one is dropped: queues grow without bound
at 1, and reach the objective somewhat before."""
RAISE_BELOW: Final = 0.7
"""Share of the capacity (and of the objective) with one student more, below which it comes back. The gap up to
`LOWER_ABOVE` is what keeps constant load from moving students to and fro."""
COOL_DOWN_WINDOWS: Final = 1.0
"""Windows of the metrics between a change and a raise: by then they show the change in full."""
SETTLE_WINDOWS: Final = 0.7
"""Windows of the metrics after a change in which a missed objective is not yet blamed on the new number."""


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
