"""What the workers of a pool serve and report, put together so that one resource's share is found at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from phalanx_contract.plan import Adapter, Ensemble, Plan
from phalanx_contract.worker import AdapterReport, EnsembleReport, LoadState
from phalanx_operator.decide.types import SETTLED, ArtifactFacts, Deployed, WorkerView
from phalanx_operator.decide.understanding import NOTHING, Withheld

AdapterKey = tuple[str, str]
"""Names of ensemble and adapter."""


@dataclass(frozen=True, slots=True)
class Content:
    """One plan by name of what is in it; ensembles without their adapters."""

    ensembles: Mapping[str, Ensemble]
    adapters: Mapping[AdapterKey, Adapter]

    @classmethod
    def of(cls, plan: Plan) -> Content:
        """Index a plan."""
        return cls(
            {each.name: alone(each) for each in plan.ensembles},
            {(each.name, adapter.name): adapter for each in plan.ensembles for adapter in each.adapters},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolView:
    """A pool's workers against the plan that they should serve.

    Attributes:
        pool: its name.
        wanted: workers that there should be.
        workers: those that there are, without the ones that terminate.
        plan_hash: hash of the current plan.
        contents: by hash, the current plan and earlier ones that workers may still serve.
        deployed: what the Deployment says of them.
        withheld: what is left out of the plan for workers of an earlier release.
        adapters: by worker and adapter, what is not served.
    """

    pool: str
    wanted: int
    workers: tuple[WorkerView, ...]
    plan_hash: str
    contents: Mapping[str, Content]
    deployed: Deployed = SETTLED
    withheld: Withheld = NOTHING
    adapters: Mapping[str, Mapping[AdapterKey, AdapterReport]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        wanted: int,
        workers: Iterable[WorkerView],
        plan: Plan,
        plan_hash: str,
        recent: Mapping[str, Plan],
        deployed: Deployed = SETTLED,
        withheld: Withheld = NOTHING,
    ) -> PoolView:
        """`recent` has earlier plans by hash: a worker that is one plan behind still serves what did not change."""
        seen = tuple(sorted(workers, key=lambda worker: worker.name))
        reports: defaultdict[str, dict[AdapterKey, AdapterReport]] = defaultdict(dict)
        for worker in seen:
            for report in worker.report.adapters if worker.report else ():
                reports[worker.name][report.ensemble, report.name] = report
        served = {worker.report.plan for worker in seen if worker.report}
        contents = {key: Content.of(each) for key, each in recent.items() if key in served}
        contents[plan_hash] = Content.of(plan)
        return cls(
            pool=plan.pool,
            wanted=wanted,
            workers=seen,
            plan_hash=plan_hash,
            contents=contents,
            deployed=deployed,
            withheld=withheld,
            adapters=reports,
        )

    @property
    def current(self) -> Content:
        """What the current plan holds."""
        return self.contents[self.plan_hash]

    def ready_workers(self) -> tuple[WorkerView, ...]:
        """Those that answer requests and say what they serve."""
        return tuple(w for w in self.workers if w.ready and w.report and not w.report.draining)

    def content_of(self, worker: WorkerView) -> Content | None:
        """The plan that a worker serves, None if it serves none or an unknown one."""
        return self.contents.get(worker.report.plan) if worker.report else None


def alone(ensemble: Ensemble) -> Ensemble:
    """The ensemble without its adapters: what its own readiness is about."""
    return Ensemble(name=ensemble.name, artifact=ensemble.artifact, cut=ensemble.cut)


def report_of(worker: WorkerView, ensemble: str) -> EnsembleReport | None:
    """What a worker says of one ensemble."""
    reports = worker.report.ensembles if worker.report else ()
    return next((report for report in reports if report.name == ensemble), None)


def facts_of(workers: Iterable[WorkerView], *, ensemble: str, digest: str) -> ArtifactFacts | None:
    """What is known of the artifact that the spec names, from any worker that serves it."""
    for worker in workers:
        report = report_of(worker, ensemble)
        if report is not None and report.state is LoadState.SERVING and report.digest == digest and report.students:
            return ArtifactFacts(
                students=report.students, rows=report.rows, ramps=report.ramps, agreement=report.agreement
            )
    return None
