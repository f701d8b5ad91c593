"""The rollouts of one round. Pure but for the memory, which takes the new states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from phalanx_contract.plan import Artifact, Plan
from phalanx_operator.api.types import Manifest, ServingPool, StudentEnsemble
from phalanx_operator.decide.accept import judge_artifact
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.onebyone import without_gone
from phalanx_operator.decide.restore import restore_rollout
from phalanx_operator.decide.rollout import RolloutPolicy, decide_rollout
from phalanx_operator.decide.turns import Standing, Turns, steady
from phalanx_operator.decide.types import Decision, RolloutState, WorkerView
from phalanx_operator.reconcile.accepting import Accepted
from phalanx_operator.reconcile.memory import PoolMemory


@dataclass(frozen=True, slots=True)
class Rolled:
    """What was decided on one ensemble's artifact, and what was seen of it."""

    decision: Decision[RolloutState]
    sight: Sight
    away: frozenset[str] = frozenset()
    """Workers that are on their way for it."""

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
    live: int | None,
    now: float,
) -> dict[str, Rolled]:
    """The decisions on every ensemble, by name; `live` is how many workers the Deployment asks for, None without one.
    The new states are kept in `memory`."""
    policies = {each.meta.key.name: _policy(each, pool, accepted) for each in accepted.served}
    sure = steady(workers, plan=memory.latest)
    standings = {}
    for name, policy in policies.items():
        before = without_gone(_allowed(memory.rollouts[name], pool), workers)
        sight = Sight.of(workers, name, wanted=policy.wanted, serving=before.serving)
        away = frozenset(before.alone) - sure
        standings[name] = Standing(before, sight, away, goes_over=not policy.canary.weight)
    turns = Turns(standings=standings, steady=sure, surplus=_surplus(workers, live, memory))
    rolled = {}
    for name, policy in policies.items():
        sight = turns.sight_of(name)
        decision = decide_rollout(policy=policy, sight=sight, state=standings[name].state, now=now)
        turns = turns.after(name, decision.state)
        memory.rollouts[name] = decision.state
        rolled[name] = Rolled(decision, sight, turns.standings[name].away)
    return rolled


def changing(rolled: Mapping[str, Rolled], workers: Sequence[WorkerView]) -> str:
    """Name of a worker that is on its way, or says that it is not ready before its pod does; empty if none is."""
    away = {name for each in rolled.values() for name in each.away}
    away |= {each.name for each in workers if each.ready and each.report is not None and not each.report.ready}
    return min(away, default="")


def _policy(ensemble: StudentEnsemble, pool: ServingPool, accepted: Accepted) -> RolloutPolicy:
    withheld = accepted.withheld.get(ensemble.meta.key.name)
    return RolloutPolicy.of(ensemble, paused=pool.paused, refusal=withheld.message if withheld is not None else "")


def _surplus(workers: Sequence[WorkerView], live: int | None, memory: PoolMemory) -> int:
    """Ready workers that are not wanted any more, so that any of them may be deleted."""
    wanted = [count for count in (live, memory.replicas.count or live) if count is not None]
    return max(0, sum(each.ready for each in workers) - min(wanted)) if wanted else 0


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
