"""The statuses of a pool and of everything in it, after a round. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phalanx_operator.api.parse import parse_meta
from phalanx_operator.api.types import Manifest
from phalanx_operator.build.labels import selector_text
from phalanx_operator.decide.accept import Verdict
from phalanx_operator.decide.status import (
    adapter_status,
    ensemble_status,
    pool_status,
    refused_status,
    undistilled_status,
)
from phalanx_operator.decide.surge import SurgeState
from phalanx_operator.decide.types import Decision, Observation, ReplicasState
from phalanx_operator.decide.view import PoolView
from phalanx_operator.reconcile.accepting import Accepted
from phalanx_operator.reconcile.deciding import Decided
from phalanx_operator.reconcile.distilling import Distilled
from phalanx_operator.reconcile.gather import Gathered
from phalanx_operator.reconcile.orphans import iso
from phalanx_operator.reconcile.reporting import EXITS, REPLICAS, ROLLOUT, STUDENTS, SURGE, Report, moves
from phalanx_operator.reconcile.rolling import Rolled

Written = Callable[[Manifest], Report]


@dataclass(frozen=True, slots=True)
class Round:
    """Everything that a round found out and did; `now` in seconds since 1970."""

    gathered: Gathered
    accepted: Accepted
    view: PoolView
    decided: Mapping[str, Decided]
    rolled: Mapping[str, Rolled]
    replicas: Decision[ReplicasState]
    observation: Observation
    now: float
    refusals: Sequence[str] = ()
    distilled: Distilled | None = None
    surge: Decision[SurgeState] | None = None


def reports(done: Round, *, adapters: bool = True) -> Iterator[Report]:
    """A report on every resource of the pool, on its adapters only if asked for."""
    yield _pool(done)
    yield from _each(done.gathered.ensembles, done.accepted.verdicts, lambda obj: _ensemble(done, obj), done.now)
    if adapters:
        verdicts = done.accepted.adapter_verdicts
        yield from _each(done.gathered.adapters, verdicts, lambda obj: _adapter(done, obj), done.now)


def reports_of_bad_pool(gathered: Gathered, accepted: Accepted, *, now: float) -> Iterator[Report]:
    """Where the pool's own spec is not valid, nothing in it is accepted; what was built before stays as it is."""
    yield _refused(gathered.pool, accepted.pool_verdict, now)
    for obj in gathered.ensembles:
        yield _refused(obj, accepted.verdicts[obj["metadata"]["name"]], now)
    for obj in gathered.adapters:
        yield _refused(obj, accepted.adapter_verdicts[obj["metadata"]["name"]], now)


def _each(objects: list[Manifest], verdicts: Mapping[str, Verdict], written: Written, now: float) -> Iterator[Report]:
    for obj in objects:
        verdict = verdicts[obj["metadata"]["name"]]
        yield written(obj) if verdict.accepted else _refused(obj, verdict, now)


def _refused(obj: Manifest, verdict: Verdict, now: float) -> Report:
    return Report(obj, refused_status(parse_meta(obj), verdict, previous=_status(obj), now=iso(now)))


def _pool(done: Round) -> Report:
    pool = done.accepted.pool
    assert pool is not None
    status = pool_status(
        pool,
        view=done.view,
        selector=selector_text(pool),
        observation=done.observation,
        replicas=done.replicas,
        surge=done.surge,
        refusals=done.refusals,
        previous=_status(done.gathered.pool),
        now=iso(done.now),
        now_s=done.now,
    )
    applied = not pool.recommend_only and not pool.paused
    surge = () if done.surge is None or pool.paused else ((done.surge, SURGE),)
    return Report(done.gathered.pool, status, moves(*(((done.replicas, REPLICAS),) if applied else ()), *surge))


def _ensemble(done: Round, obj: Manifest) -> Report:
    name = obj["metadata"]["name"]
    distillation = done.distilled.by_name.get(name) if done.distilled is not None else None
    job = done.distilled.jobs.get(name, "") if done.distilled is not None else ""
    if distillation is not None and name not in done.accepted.ensembles:
        status = undistilled_status(parse_meta(obj), distillation, job=job, previous=_status(obj), now=iso(done.now))
        return Report(obj, status)
    decided, rolled, pool = done.decided[name], done.rolled[name], done.accepted.pool
    status = ensemble_status(
        done.accepted.ensembles[name],
        view=done.view,
        cut=decided.cut,
        students=decided.students,
        exits=decided.exits,
        rollout=rolled.decision,
        sight=rolled.sight,
        since=iso(rolled.state.since),
        distillation=distillation,
        job=job,
        previous=_status(obj),
        now=iso(done.now),
    )
    applied = pool is not None and not pool.recommend_only
    cuts = ((decided.students, STUDENTS), (decided.exits, EXITS)) if applied else ()
    return Report(obj, status, moves((rolled.decision, ROLLOUT), *cuts))


def _adapter(done: Round, obj: Manifest) -> Report:
    adapter = done.accepted.adapters[obj["metadata"]["name"]]
    return Report(obj, adapter_status(adapter, view=done.view, previous=_status(obj), now=iso(done.now)))


def _status(obj: Manifest) -> Manifest:
    return obj.get("status") or {}
