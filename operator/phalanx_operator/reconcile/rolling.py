"""The rollouts of one round. Pure but for the memory, which takes the new states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phalanx_contract.plan import Artifact, Plan
from phalanx_operator.api.types import Manifest, ServingPool, StudentEnsemble
from phalanx_operator.decide.accept import judge_artifact
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.onebyone import without_gone
from phalanx_operator.decide.restore import restore_rollout
from phalanx_operator.decide.rollout import RolloutPolicy, decide_rollout
from phalanx_operator.decide.types import Decision, RolloutState, WorkerView
from phalanx_operator.reconcile.accepting import Accepted
from phalanx_operator.reconcile.memory import PoolMemory


@dataclass(frozen=True, slots=True)
class Rolled:
    """What was decided on one ensemble's artifact, and what was seen of it."""

    decision: Decision[RolloutState]
    sight: Sight

    @property
    def state(self) -> RolloutState:
        """The new state."""
        return self.decision.state


def remember_rollouts(ensembles: Sequence[Manifest], planned: Plan | None, memory: PoolMemory) -> None:
    """Give every ensemble a state: from its status, or the plan that is there, where this operator has not seen it."""
    names = {obj["metadata"]["name"] for obj in ensembles}
    for gone in memory.rollouts.keys() - names:
        del memory.rollouts[gone]
    there = {each.name: each for each in planned.ensembles} if planned is not None else {}
    for obj in ensembles:
        name = obj["metadata"]["name"]
        if name not in memory.rollouts:
            memory.rollouts[name] = restore_rollout(obj.get("status") or {}, planned=there.get(name))


def proven(memory: PoolMemory) -> dict[str, Artifact]:
    """Artifacts that a worker has served, by ensemble."""
    return {name: each.serving for name, each in memory.rollouts.items() if each.serving is not None and each.students}


def decide_rollouts(
    pool: ServingPool,
    accepted: Accepted,
    workers: Sequence[WorkerView],
    memory: PoolMemory,
    *,
    now: float,
) -> dict[str, Rolled]:
    """The decisions on every ensemble, by name. The new states are kept in `memory`."""
    rolled = {}
    for ensemble in accepted.served:
        name = ensemble.meta.key.name
        refusal = accepted.withheld[name].message if name in accepted.withheld else ""
        policy = RolloutPolicy.of(ensemble, paused=pool.paused, refusal=refusal)
        before = without_gone(_allowed(memory.rollouts[name], pool), workers)
        sight = Sight.of(workers, name, wanted=policy.wanted, serving=before.serving)
        decision = decide_rollout(policy=policy, sight=sight, state=before, now=now)
        memory.rollouts[name] = decision.state
        rolled[name] = Rolled(decision, sight)
    return rolled


def _allowed(state: RolloutState, pool: ServingPool) -> RolloutState:
    """The state, or that of an ensemble that serves nothing yet: what the pool's workers may not read protects nobody.

    An ensemble that came from another pool may have been serving from a place that only that one allows, or mounts.
    """
    served = state.serving is None or judge_artifact(state.serving.uri, pool).accepted
    return state if served else RolloutState()


def as_served(ensemble: StudentEnsemble, state: RolloutState) -> StudentEnsemble:
    """The ensemble with the artifact that serves. More students than that has may be meant for the next one."""
    if state.serving is None or state.serving == ensemble.artifact:
        return ensemble
    students = ensemble.students
    if state.students:
        students = replace(students, min=min(students.min, state.students))
    return replace(ensemble, source=state.serving, students=students)
