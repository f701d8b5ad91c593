"""What a pool's rounds hand on to each other. All of it can be found out again after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from phalanx_contract.plan import Plan
from phalanx_operator.decide.types import ExitsState, Observation, ReplicasState, StudentsState
from phalanx_operator.observe.scrape import Scraper
from phalanx_operator.observe.store import Ref

RECENT_PLANS: Final = 8
"""Plans that are remembered: a worker that is some behind still serves what did not change since."""


@dataclass(frozen=True, slots=True)
class EnsembleMemory:
    """The states of one ensemble."""

    students: StudentsState
    exits: ExitsState


@dataclass(frozen=True, slots=True)
class Applied:
    """When a child was written last (s), and with what content."""

    fingerprint: str
    at: float


@dataclass(slots=True)
class PoolMemory:
    """One pool's. `observed_at` is when metrics were read last; `plans` has the latest last."""

    ensembles: dict[str, EnsembleMemory] = field(default_factory=dict)
    replicas: ReplicasState = field(default_factory=ReplicasState)
    applied: dict[Ref, Applied] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    observation: Observation = field(
        default_factory=lambda: Observation(at=None, workers=0, problem="no metrics were read yet")
    )
    observed_at: float | None = None
    scraper: Scraper | None = None

    def keep(self, plan_hash: str, plan: Plan) -> None:
        """Remember a plan as the latest."""
        self.plans.pop(plan_hash, None)
        self.plans[plan_hash] = plan
        while len(self.plans) > RECENT_PLANS:
            del self.plans[next(iter(self.plans))]
