"""What a pool's rounds hand on to each other. All of it can be found out again after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from phalanx_contract.plan import Plan, PlanHash
from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.surge import SurgeState
from phalanx_operator.decide.types import ExitsState, Observation, ReplicasState, RolloutState, StudentsState
from phalanx_operator.decide.understanding import Withheld
from phalanx_operator.decide.view import PoolView
from phalanx_operator.observe.scrape import Scraper
from phalanx_operator.observe.store import Ref
from phalanx_operator.reconcile.accepting import Readings
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.memo import Memo, Shelf

RECENT_PLANS: Final = 8
"""Plans that are remembered: a worker that is some behind still serves what did not change since."""


@dataclass(frozen=True, slots=True)
class EnsembleMemory:
    """The states of one ensemble."""

    students: StudentsState
    exits: ExitsState


@dataclass(slots=True)
class Applied:
    """What was written last as a child, when (s), and the live version of it that was found to be right."""

    manifest: Manifest
    at: float
    right: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A child that the cluster would not have, of which live version, when it was tried (s), and what the cluster said.

    `backoff` says when it is worth another try though nothing has changed here: a quota may be free by then.
    """

    manifest: Manifest
    live: str
    at: float
    text: str
    backoff: Backoff

    @property
    def lasts(self) -> bool:
        """Refused more than once: the first may pass, as where the child of a deleted pool is about to be collected."""
        return self.backoff.failures > 1

    def due_s(self, *, now: float) -> float:
        """Seconds until the next try."""
        return self.at + self.backoff.delay_s - now


@dataclass(slots=True)
class Kept:
    """Results of the pure steps of a round, for the next round that finds the same."""

    readings: Readings = field(default_factory=Shelf)
    plan: Memo[Plan] = field(default_factory=Memo)
    worded: Memo[tuple[Plan, Withheld]] = field(default_factory=Memo)
    packed: Memo[tuple[PlanHash, list[dict[str, bytes]]]] = field(default_factory=Memo)
    served: Memo[tuple[PlanHash, Plan] | None] = field(default_factory=Memo)
    children: Memo[list[Manifest]] = field(default_factory=Memo)
    view: Memo[PoolView] = field(default_factory=Memo)
    told: object = None
    """What the adapters' statuses that were written last came from."""


@dataclass(slots=True)
class PoolMemory:
    """One pool's. `revisions` has the plan revision that each worker reads. `observed_at` is when metrics were read
    last; `plans` has the latest last."""

    kept: Kept = field(default_factory=Kept)

    ensembles: dict[str, EnsembleMemory] = field(default_factory=dict)
    rollouts: dict[str, RolloutState] = field(default_factory=dict)
    replicas: ReplicasState = field(default_factory=ReplicasState)
    surge: SurgeState = field(default_factory=SurgeState)
    applied: dict[Ref, Applied] = field(default_factory=dict)
    refused: dict[Ref, Refusal] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    observation: Observation = field(
        default_factory=lambda: Observation(at=None, workers=0, problem="no metrics were read yet")
    )
    observed_at: float | None = None
    scraper: Scraper | None = None

    @property
    def latest(self) -> str:
        """Hash of the latest plan; empty before the first."""
        return next(reversed(self.plans), "")

    def keep(self, plan_hash: str, plan: Plan) -> None:
        """Remember a plan as the latest."""
        self.plans.pop(plan_hash, None)
        self.plans[plan_hash] = plan
        while len(self.plans) > RECENT_PLANS:
            del self.plans[next(iter(self.plans))]
