"""One plan for one pool: the accepted ensembles and adapters at their decided cuts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from phalanx_contract.limits import MAX_STUDENTS
from phalanx_contract.plan import Adapter, ApiKey, Candidate, Cut, Ensemble, Plan
from phalanx_operator.api.types import ServingPool, StudentEnsemble, TenantAdapter
from phalanx_operator.decide.accept import Verdict
from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.types import ExitsState, RolloutState, Stage, StudentsState


def cut_of(policy: CutPolicy, students: StudentsState, exits: ExitsState) -> Cut:
    """The cut that two states amount to; what was decided for another artifact does not count.

    Its floor is the spec's: below the floor of the state, which lasts, workers go as far as the burst budget pays.
    """
    if students.digest != policy.digest:
        students = StudentsState(floor=policy.students.min, ceiling=policy.students.max)
    thresholds = exits.thresholds if exits.digest == policy.digest else ()
    floor = min(max(policy.students.min, 1), MAX_STUDENTS)
    ceiling = None if students.ceiling is None else min(max(students.ceiling, floor), MAX_STUDENTS)
    return Cut(
        students_floor=floor,
        students_ceiling=ceiling,
        burst_loss=policy.accuracy.burst_loss,
        thresholds=thresholds,
    )


def compose_plan(
    pool: ServingPool,
    *,
    ensembles: Iterable[StudentEnsemble],
    adapters: Iterable[TenantAdapter],
    verdicts: Mapping[str, Verdict],
    adapter_verdicts: Mapping[str, Verdict],
    cuts: Mapping[str, Cut],
    rollouts: Mapping[str, RolloutState],
    api_keys: Mapping[str, ApiKey],
) -> Plan:
    """The plan. All mappings are by resource name; `api_keys` by the TenantAdapter's.

    Ensembles of other pools and whatever has no verdict that accepts it are left out; an ensemble without a cut gets
    its spec's, and one without a rollout serves what its spec names. An adapter that asks for an API key is left out as
    long as the key is not at hand: to serve it without would open it to everyone. The order of the inputs does not
    matter.
    """
    tenants: defaultdict[str, list[Adapter]] = defaultdict(list)
    for adapter in sorted(adapters, key=lambda each: each.meta.key.name):
        if _serves(adapter, adapter_verdicts, api_keys):
            tenants[adapter.ensemble].append(_tenant(adapter, api_keys))
    kept = (each for each in ensembles if each.pool == pool.meta.key.name and _accepted(verdicts, each.meta.key.name))
    return Plan(
        namespace=pool.meta.key.namespace,
        pool=pool.meta.key.name,
        objective_p99_s=pool.objective_p99_s,
        ensembles=tuple(
            Ensemble(
                name=each.meta.key.name,
                artifact=_state(rollouts, each).serving or each.artifact,
                cut=cuts.get(each.meta.key.name) or _spec_cut(each),
                adapters=tuple(tenants[each.meta.key.name]),
                candidate=_candidate(each, _state(rollouts, each)),
                alone=_state(rollouts, each).alone,
            )
            for each in sorted(kept, key=lambda each: each.meta.key.name)
        ),
    )


def _state(rollouts: Mapping[str, RolloutState], ensemble: StudentEnsemble) -> RolloutState:
    return rollouts.get(ensemble.meta.key.name) or RolloutState()


def _candidate(ensemble: StudentEnsemble, state: RolloutState) -> Candidate | None:
    """What may take the place of what serves; thresholds were measured on the ramps of that, so it has none."""
    if state.candidate is None:
        return None
    share = ensemble.rollout.canary.weight if state.stage is Stage.CANARY else 0.0
    return Candidate(artifact=state.candidate, cut=_spec_cut(ensemble), share=share)


def _accepted(verdicts: Mapping[str, Verdict], name: str) -> bool:
    verdict = verdicts.get(name)
    return verdict is not None and verdict.accepted


def _serves(adapter: TenantAdapter, verdicts: Mapping[str, Verdict], api_keys: Mapping[str, ApiKey]) -> bool:
    name = adapter.meta.key.name
    return _accepted(verdicts, name) and (adapter.api_key_secret is None or name in api_keys)


def _tenant(adapter: TenantAdapter, api_keys: Mapping[str, ApiKey]) -> Adapter:
    name = adapter.meta.key.name
    return Adapter(
        name=name,
        artifact=adapter.artifact,
        weight=adapter.weight,
        rate_tokens_per_s=adapter.rate_tokens_per_s,
        api_key=api_keys[name] if adapter.api_key_secret is not None else None,
    )


def _spec_cut(ensemble: StudentEnsemble) -> Cut:
    students = ensemble.students
    return Cut(students_floor=students.min, students_ceiling=students.max, burst_loss=ensemble.accuracy.burst_loss)
