"""The operator's own decisions: the one place that knows their signatures."""

from __future__ import annotations

from dataclasses import dataclass, field

from phalanx_contract.plan import Cut
from phalanx_contract.worker import EnsembleReport, LoadState, WorkerStatus
from phalanx_operator.api.types import ServingPool, StudentEnsemble
from phalanx_operator.decide.plan import cut_of
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.types import Decision, ExitsState, ReplicasState, StudentsState, WorkerView
from phalanx_operator.reconcile.deciding import decide_cuts
from phalanx_operator.reconcile.memory import EnsembleMemory, PoolMemory
from phalanx_operator.reconcile.replicas import decide_count
from phalanx_operator.simulate.policies.policy import Orders, Seen, Told
from phalanx_operator.simulate.profile import Profile

_ROWS = 2
"""Students of the simulated artifact are so deep. It has no ramps, so there are no exits to decide on."""


@dataclass(slots=True)
class OperatorPolicy:
    """Rounds of one pool with one ensemble, as `reconcile/pool.py` does them, without a cluster."""

    pool: ServingPool
    ensemble: StudentEnsemble
    profile: Profile
    name: str = "operator"
    _memory: PoolMemory = field(default_factory=PoolMemory)

    def __post_init__(self) -> None:
        key = self.ensemble.meta.key.name
        self._memory.ensembles[key] = EnsembleMemory(StudentsState(), ExitsState())

    @property
    def interval_s(self) -> float:
        """The pool's."""
        return self.pool.metrics.interval_s

    @property
    def first_cut(self) -> Cut:
        """The spec's."""
        return cut_of(CutPolicy.of(self.pool, self.ensemble), StudentsState(), ExitsState())

    def decide(self, seen: Seen, *, now: float) -> Orders:
        """One round."""
        name, views, observation = self.ensemble.meta.key.name, self._views(seen), seen.observe()
        cuts = decide_cuts(self.pool, [self.ensemble], views, observation, self._memory, now=now)
        deployment = {"metadata": {}, "spec": {"replicas": seen.live}}
        replicas = decide_count(self.pool, deployment, views, cuts, observation, self._memory, now=now)
        students = cuts[name].students
        return Orders(
            cut=cuts[name].cut,
            replicas=replicas.state.count,
            told=(_told("students", students), _told("workers", replicas)),
        )

    def _views(self, seen: Seen) -> list[WorkerView]:
        """What the workers would report; those that load have nothing to say yet."""
        artifact = self.ensemble.artifact
        report = EnsembleReport(
            name=self.ensemble.meta.key.name,
            wanted_digest=artifact.digest,
            digest=artifact.digest,
            state=LoadState.SERVING,
            students=self.profile.students,
            rows=_ROWS,
            agreement=self.profile.agreement,
        )
        status = WorkerStatus(ready=True, ensembles=(report,))
        return [
            WorkerView(name=f"worker-{n}", ready=n < seen.ready, report=status if n < seen.ready else None)
            for n in range(seen.live)
        ]


def _told(about: str, decision: Decision[StudentsState] | Decision[ReplicasState]) -> Told:
    return Told(about=about, action=decision.action, reason=decision.reason, message=decision.message)
