"""The number of workers, from what a round gathered and decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phalanx_contract.runtime import FIELD_MANAGER
from phalanx_operator.api.types import Autoscaling, Manifest, ServingPool
from phalanx_operator.decide.policy import ReplicasPolicy
from phalanx_operator.decide.replicas import Model, decide_replicas
from phalanx_operator.decide.types import Decision, Observation, ReplicasState, WorkerView
from phalanx_operator.reconcile.deciding import Decided
from phalanx_operator.reconcile.memory import PoolMemory


def decide_count(
    pool: ServingPool,
    deployment: Manifest | None,
    workers: Sequence[WorkerView],
    decided: Mapping[str, Decided],
    observation: Observation,
    memory: PoolMemory,
    *,
    changing: str = "",
    now: float,
) -> Decision[ReplicasState]:
    """The number of workers wanted, given the Deployment that is there, and a worker that changes its artifact, if one
    does. The new state is kept in `memory`."""
    models = [
        Model(
            name=name,
            metrics=observation.ensembles.get(name),
            fewest=each.students.state.floor,
            most=each.most,
            students=each.students.state,
        )
        for name, each in decided.items()
    ]
    decision = decide_replicas(
        policy=ReplicasPolicy.of(pool),
        live=live_count(deployment),
        workers=workers,
        changing=changing,
        models=models,
        observation=observation,
        state=memory.replicas,
        now=now,
    )
    memory.replicas = decision.state
    return decision


def live_count(deployment: Manifest | None) -> int | None:
    """How many workers the Deployment asks for; None if there is none."""
    return None if deployment is None else deployment["spec"].get("replicas", 1)


def written(pool: ServingPool, deployment: Manifest | None, decision: Decision[ReplicasState]) -> int | None:
    """The number to write to the Deployment; None leaves it to its other owner.

    With autoscaling Off that is whoever wrote it last, if it was not us: the field may only be left out once somebody
    else has it, or the server would take it away with us and fall back to 1.
    """
    if pool.autoscaling is Autoscaling.OFF and deployment is not None and _owned_elsewhere(deployment):
        return None
    return decision.state.count


def _owned_elsewhere(deployment: Manifest) -> bool:
    entries = deployment["metadata"].get("managedFields") or []
    return any(
        entry.get("manager") != FIELD_MANAGER and "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        for entry in entries
    )
