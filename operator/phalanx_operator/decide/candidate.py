"""How an artifact that is to serve stands in a pool's workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phalanx_contract.plan import Artifact, candidate_name
from phalanx_contract.revisions import CANDIDATES_SINCE
from phalanx_contract.worker import Comparison, LoadReason, LoadState
from phalanx_operator.decide.loaded import Held, ensemble_in
from phalanx_operator.decide.types import WorkerView
from phalanx_operator.decide.view import report_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What the workers say.

    Attributes:
        held: how the artifact stands in each worker that reports, ready or not; the others will find it in their plan.
        exists: whether there is a worker at all, whatever becomes of it.
        silent: workers that answer requests and do not report.
        students: how many the serving artifact has; 0 if no worker serves it.
        next_students: how many this one has; 0 if no worker holds it.
        compared: what its answers were worth, over all workers.
        names: of the workers in `held`.
        serving: names of those that answer requests for the ensemble, with whatever artifact.
        stranded: names of those that have no room to go back to the serving artifact.
        unfit: tenants that are answered now and have no adapter that fits this artifact, in the worker with the most.
        unfit_tenant: name of one of them.
        outdated: name of one that knows no candidates, so that none can be told of any; `held` is empty then.
        away: names of those that change their artifact for any ensemble of the pool.
        needed: names of those without which some ensemble of the pool might be answered by none.
        queued: workers without room for it wait while one changes for another ensemble.
    """

    held: tuple[Held, ...] = ()
    exists: bool = False
    silent: int = 0
    students: int = 0
    next_students: int = 0
    compared: Comparison = field(default_factory=Comparison)
    names: tuple[str, ...] = ()
    serving: frozenset[str] = frozenset()
    stranded: tuple[str, ...] = ()
    unfit: int = 0
    unfit_tenant: str = ""
    outdated: str = ""
    away: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    queued: bool = False

    @classmethod
    def of(cls, workers: Iterable[WorkerView], name: str, *, wanted: Artifact, serving: Artifact | None) -> Sight:
        """What they say of an ensemble's artifacts."""
        seen = list(workers)
        reporting = [each for each in seen if each.report is not None and not each.report.draining]
        outdated = next((each.name for each in reporting if not _knows_candidates(each)), "")
        unfit, tenant = max((_unfit(each, name, wanted.digest) for each in reporting), default=(0, ""))
        return cls(
            unfit=unfit,
            unfit_tenant=tenant,
            held=() if outdated else tuple(artifact_in(each, name, wanted.digest) for each in reporting),
            outdated=outdated,
            exists=bool(seen),
            silent=sum(each.ready and each.report is None for each in seen),
            students=0 if serving is None else _students(reporting, (name,), serving.digest),
            next_students=_students(reporting, (name, candidate_name(name)), wanted.digest),
            names=tuple(each.name for each in reporting),
            serving=frozenset(each.name for each in reporting if each.ready and _answers(each, name)),
            stranded=tuple(
                each.name for each in reporting if serving and crowded(ensemble_in(each, name, serving.digest))
            ),
            compared=_sum(_compared(each, name, wanted.digest) for each in reporting),
        )

    @property
    def timed(self) -> bool:
        """Whether time says anything about the artifact. Not where what is missing is somebody else's: workers at all,
        workers that know candidates, reports of those that serve, adapters that fit, a turn. Workers that die do
        count."""
        return self.exists and not (self.outdated or self.silent or self.unfit or self.queued)

    @property
    def without_room(self) -> tuple[str, ...]:
        """Names of the workers that have no room for it beside what they serve."""
        return tuple(name for name, held in zip(self.names, self.held, strict=False) if crowded(held))

    @property
    def warm(self) -> int:
        """Workers that hold it, and could serve it at once."""
        return sum(each.state is LoadState.SERVING for each in self.held)


def crowded(held: Held) -> bool:
    """Whether there is no room for it in a worker."""
    return held.state is LoadState.FAILED and held.reason is LoadReason.OUT_OF_MEMORY


def artifact_in(worker: WorkerView, name: str, digest: str) -> Held:
    """How an artifact stands in a worker, as the candidate for an ensemble's place or in that place."""
    report = report_of(worker, candidate_name(name))
    tried = report is not None and report.wanted_digest == digest
    return ensemble_in(worker, candidate_name(name) if tried else name, digest)


def name_of(artifact: Artifact) -> str:
    """An artifact in a sentence: the start of its digest, as clients see it."""
    return artifact.digest.removeprefix("sha256:")[:12]


def _knows_candidates(worker: WorkerView) -> bool:
    return worker.report is not None and worker.report.plan_revision >= CANDIDATES_SINCE


def _students(workers: Sequence[WorkerView], names: Sequence[str], digest: str) -> int:
    """Students of an artifact that a worker holds under one of the names; 0 if none does."""
    reports = [report for name in names for each in workers if (report := report_of(each, name)) is not None]
    return max((each.students for each in reports if each.digest == digest), default=0)


def _answers(worker: WorkerView, name: str) -> bool:
    report = report_of(worker, name)
    return report is not None and bool(report.digest)


def _compared(worker: WorkerView, name: str, digest: str) -> Comparison:
    report = report_of(worker, candidate_name(name))
    if report is None or report.wanted_digest != digest or report.compared is None:
        return Comparison()
    return report.compared


def _unfit(worker: WorkerView, name: str, digest: str) -> tuple[int, str]:
    report = report_of(worker, candidate_name(name))
    return (0, "") if report is None or report.wanted_digest != digest else (report.unfit, report.unfit_tenant)


def _sum(parts: Iterable[Comparison]) -> Comparison:
    total = Comparison()
    for part in parts:
        total = Comparison(
            texts=total.texts + part.texts,
            agreeing=total.agreeing + part.agreeing,
            candidate_s=total.candidate_s + part.candidate_s,
            serving_s=total.serving_s + part.serving_s,
        )
    return total
