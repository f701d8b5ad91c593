"""How an artifact that is to serve stands in a pool's workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phalanx_contract.plan import Artifact, candidate_name
from phalanx_contract.worker import Comparison, LoadState
from phalanx_operator.decide.loaded import Held, ensemble_in
from phalanx_operator.decide.types import WorkerView
from phalanx_operator.decide.view import report_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What the workers say.

    Attributes:
        held: how the artifact stands in each worker that reports, ready or not; the others will find it in their plan.
        silent: workers that answer requests and do not report.
        students: how many the serving artifact has; 0 if no worker serves it.
        next_students: how many this one has; 0 if no worker holds it.
        compared: what its answers were worth, over all workers.
    """

    held: tuple[Held, ...] = ()
    silent: int = 0
    students: int = 0
    next_students: int = 0
    compared: Comparison = field(default_factory=Comparison)

    @classmethod
    def of(cls, workers: Iterable[WorkerView], name: str, *, wanted: Artifact, serving: Artifact | None) -> Sight:
        """What they say of an ensemble's artifacts."""
        seen = list(workers)
        reporting = [each for each in seen if each.report is not None and not each.report.draining]
        return cls(
            held=tuple(artifact_in(each, name, wanted.digest) for each in reporting),
            silent=sum(each.ready and each.report is None for each in seen),
            students=0 if serving is None else _students(reporting, (name,), serving.digest),
            next_students=_students(reporting, (name, candidate_name(name)), wanted.digest),
            compared=_sum(_compared(each, name, wanted.digest) for each in reporting),
        )

    @property
    def warm(self) -> int:
        """Workers that hold it, and could serve it at once."""
        return sum(each.state is LoadState.SERVING for each in self.held)


def artifact_in(worker: WorkerView, name: str, digest: str) -> Held:
    """How an artifact stands in a worker, as the candidate for an ensemble's place or in that place."""
    report = report_of(worker, candidate_name(name))
    tried = report is not None and report.wanted_digest == digest
    return ensemble_in(worker, candidate_name(name) if tried else name, digest)


def name_of(artifact: Artifact) -> str:
    """An artifact in a sentence: the start of its digest, as clients see it."""
    return artifact.digest.removeprefix("sha256:")[:12]


def _students(workers: Sequence[WorkerView], names: Sequence[str], digest: str) -> int:
    """Students of an artifact that a worker holds under one of the names; 0 if none does."""
    reports = [report for name in names for each in workers if (report := report_of(each, name)) is not None]
    return max((each.students for each in reports if each.digest == digest), default=0)


def _compared(worker: WorkerView, name: str, digest: str) -> Comparison:
    report = report_of(worker, candidate_name(name))
    if report is None or report.wanted_digest != digest or report.compared is None:
        return Comparison()
    return report.compared


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
