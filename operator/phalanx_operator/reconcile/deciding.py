"""The decisions of one round. Pure but for the memory, which takes the new states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_contract.plan import Cut
from phalanx_operator.api.types import Manifest, ServingPool, StudentEnsemble
from phalanx_operator.decide.bounds import bounds_of
from phalanx_operator.decide.demand import shares_of_others
from phalanx_operator.decide.exits import decide_exits
from phalanx_operator.decide.plan import cut_of
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.restore import restore_exits, restore_students
from phalanx_operator.decide.students import decide_students
from phalanx_operator.decide.types import Decision, ExitsState, Observation, StudentsState, WorkerView
from phalanx_operator.decide.view import facts_of
from phalanx_operator.reconcile.memory import EnsembleMemory, PoolMemory


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided on one ensemble. `most` students are what spec and artifact allow; None if no worker has it."""

    cut: Cut
    students: Decision[StudentsState]
    exits: Decision[ExitsState]
    most: int | None


def remember(ensembles: Sequence[Manifest], memory: PoolMemory, *, now: float) -> None:
    """Give every ensemble a memory: from its status where this operator has not seen it before, so that a restart
    of the operator resets neither students nor thresholds."""
    names = {obj["metadata"]["name"] for obj in ensembles}
    for gone in memory.ensembles.keys() - names:
        del memory.ensembles[gone]
    for obj in ensembles:
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        if name not in memory.ensembles:
            memory.ensembles[name] = EnsembleMemory(restore_students(status, now=now), restore_exits(status, now=now))


def decide_cuts(
    pool: ServingPool,
    ensembles: Sequence[StudentEnsemble],
    views: Sequence[WorkerView],
    observation: Observation,
    memory: PoolMemory,
    *,
    now: float,
) -> dict[str, Decided]:
    """The decisions on every ensemble, by name. The new states are kept in `memory`."""
    decided = {}
    ceilings = {name: each.students.ceiling for name, each in memory.ensembles.items()}
    others = shares_of_others(observation.ensembles, ceilings)
    for ensemble in ensembles:
        name, policy = ensemble.meta.key.name, CutPolicy.of(pool, ensemble)
        decided[name] = _decide(policy, name, views, observation, memory.ensembles[name], others[name], now)
        memory.ensembles[name] = EnsembleMemory(decided[name].students.state, decided[name].exits.state)
    return decided


def _decide(
    policy: CutPolicy,
    name: str,
    views: Sequence[WorkerView],
    observation: Observation,
    before: EnsembleMemory,
    others: float,
    now: float,
) -> Decided:
    """Students first: thresholds get what they leave of the accuracy budget."""
    facts = facts_of(views, ensemble=name, digest=policy.digest)
    metrics = observation.ensembles.get(name)
    students = decide_students(
        policy=policy,
        facts=facts,
        metrics=metrics,
        observation=observation,
        state=before.students,
        now=now,
        others=others,
    )
    exits = decide_exits(
        policy=policy,
        facts=facts,
        metrics=metrics,
        observation=observation,
        state=before.exits,
        students=students.state,
        now=now,
    )
    most = None if facts is None else bounds_of(policy, facts, students.state).top
    return Decided(cut_of(policy, students.state, exits.state), students, exits, most)
