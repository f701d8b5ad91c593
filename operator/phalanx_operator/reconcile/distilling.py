"""The distillations of one round: where each stands, what its ensemble serves meanwhile, and which Jobs have to be made
or deleted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from phalanx_contract.distillation import Progress
from phalanx_contract.plan import Artifact, Plan
from phalanx_operator.api.identity import job_name, mark_of, task_of
from phalanx_operator.api.types import Distill, Key, Manifest, Meta, ServingPool, StudentEnsemble
from phalanx_operator.build import Versions, distillation_job
from phalanx_operator.decide.accept import ABOUT_THE_JOB, judge_artifact
from phalanx_operator.decide.distill import decide_distillation, forbidden, paused
from phalanx_operator.decide.distillation import Course, Distillation, Phase, Remembered, Wanted
from phalanx_operator.decide.remembered import restored
from phalanx_operator.decide.restore import restore_rollout
from phalanx_operator.observe.store import Ref, owned_by, ref_of
from phalanx_operator.reconcile.accepting import Accepted
from phalanx_operator.reconcile.gather import Gathered
from phalanx_operator.reconcile.jobs import distiller_views, job_view
from phalanx_operator.reconcile.memory import Refusal

JOB: Final = "Job"


@dataclass(frozen=True, kw_only=True, slots=True)
class Distilled:
    """By ensemble, where its distillation stands. `accepted` has the ensembles that there is something to serve of.

    `make` are Jobs to apply, `drop` live ones to delete.
    """

    accepted: Accepted
    by_name: Mapping[str, Distillation] = field(default_factory=dict)
    jobs: Mapping[str, str] = field(default_factory=dict)
    make: tuple[Manifest, ...] = ()
    drop: tuple[Manifest, ...] = ()

    @property
    def running(self) -> bool:
        """Whether there is progress to look at."""
        return any(each.phase is Phase.RUNNING for each in self.by_name.values())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a round found out of distillations, beside what it gathered. `now` in seconds since 1970.

    `plan` is what the workers are told to serve now, `progress` what pods say by name, `refused` what the cluster did
    not take.
    """

    plan: Plan | None
    progress: Mapping[str, Progress]
    refused: Mapping[Ref, Refusal]
    now: float


def distil(gathered: Gathered, accepted: Accepted, pool: ServingPool, seen: Seen, *, versions: Versions) -> Distilled:
    """Decide on every accepted ensemble that has `spec.distill`."""
    asked = {each.meta.key.name: (each, each.source) for each in accepted.served if isinstance(each.source, Distill)}
    statuses = {obj["metadata"]["name"]: obj.get("status") or {} for obj in gathered.ensembles}
    jobs = {name: job_name(ensemble, distill) for name, (ensemble, distill) in asked.items()}
    decided = {
        name: _decide(
            ensemble.meta,
            Wanted(
                mark=mark_of(ensemble.meta.key, distill),
                job=jobs[name],
                output=task_of(ensemble.meta.key, distill).output,
            ),
            gathered,
            seen,
            before=restored(statuses[name]),
        )
        for name, (ensemble, distill) in asked.items()
    }
    decided |= {
        name: forbidden(decided[name], verdict.reason, verdict.message)
        for name, verdict in accepted.withheld.items()
        if name in decided
    }
    if pool.paused:
        decided = {name: paused(each) for name, each in decided.items()}
    withheld = {name: each for name, each in accepted.withheld.items() if each.reason not in ABOUT_THE_JOB}
    make = [name for name, each in decided.items() if each.course is Course.MAKE]
    return Distilled(
        accepted=replace(
            accepted, ensembles=_with_artifacts(accepted, pool, decided, statuses, seen.plan), withheld=withheld
        ),
        by_name=decided,
        jobs=jobs,
        make=tuple(_job(*asked[name], pool, versions) for name in make),
        drop=tuple(_surplus(gathered, accepted, decided, jobs)),
    )


def _decide(meta: Meta, wanted: Wanted, gathered: Gathered, seen: Seen, *, before: Remembered) -> Distillation:
    live, refusal = gathered.child(JOB, wanted.job), seen.refused.get(Ref(JOB, Key(meta.key.namespace, wanted.job)))
    return decide_distillation(
        wanted,
        None if live is None else job_view(live, owner=meta.uid),
        distiller_views(gathered.distillers, seen.progress, job=wanted.job, mark=wanted.mark),
        before,
        refusal="" if refusal is None else refusal.text,
        now=seen.now,
    )


def _job(ensemble: StudentEnsemble, distill: Distill, pool: ServingPool, versions: Versions) -> Manifest:
    return distillation_job(
        ensemble, distill, pool, default_image=versions.worker_image, failure_policy=versions.failure_policy
    )


def _with_artifacts(
    accepted: Accepted,
    pool: ServingPool,
    decided: Mapping[str, Distillation],
    statuses: Mapping[str, Manifest],
    plan: Plan | None,
) -> dict[str, StudentEnsemble]:
    """The ensembles with something to serve: the result, else what serves now. Those without are left out."""
    served = {each.name: each for each in plan.ensembles} if plan is not None else {}
    found = {}
    for name, ensemble in accepted.ensembles.items():
        if not isinstance(ensemble.source, Distill):
            found[name] = ensemble
        elif name in decided:
            now = restore_rollout(statuses[name], planned=served.get(name)).serving
            artifact = _artifact(decided[name], now, pool)
            found |= {} if artifact is None else {name: replace(ensemble, source=artifact)}
    return found


def _artifact(decided: Distillation, served: Artifact | None, pool: ServingPool) -> Artifact | None:
    """What an ensemble wants to serve: what its spec asks for once it is there; until then what serves now, or an
    earlier result where that serves nowhere yet, as in another pool. The spec names neither, so the pool is asked."""
    result = decided.remembered.result
    made = None if result is None else result.outcome.artifact
    if decided.phase is Phase.DONE:
        return made
    return next((each for each in (served, made) if each and judge_artifact(each.uri, pool).accepted), None)


def _surplus(
    gathered: Gathered, accepted: Accepted, decided: Mapping[str, Distillation], jobs: Mapping[str, str]
) -> Iterable[Manifest]:
    """Jobs that no ensemble of the pool wants any more, or that were made for an earlier one of the same name. Those of
    an ensemble that is refused for now are left alone."""
    names = {obj["metadata"]["name"] for obj in gathered.ensembles}
    for child in gathered.children:
        if child["kind"] != JOB or "deletionTimestamp" in child["metadata"]:
            continue
        name = child["metadata"]["labels"].get("app.kubernetes.io/instance", "")
        if name in names and not accepted.verdicts[name].accepted:
            continue
        wanted = jobs.get(name) == ref_of(child).key.name and bool(owned_by([child], accepted.ensembles[name].meta.uid))
        if not wanted or decided[name].course is Course.DELETE:
            yield child
