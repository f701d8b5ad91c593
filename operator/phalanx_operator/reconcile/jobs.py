"""Jobs and their pods as what decisions speak of. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from phalanx_contract.distillation import Progress, parse_ending
from phalanx_operator.api.types import Manifest
from phalanx_operator.build.labels import LABEL_MARK
from phalanx_operator.decide.distillation import DistillerView, JobView
from phalanx_operator.observe.store import owned_by
from phalanx_operator.reconcile.workers import problem_of

_JOB_NAME = "job-name"
"""The Job controller's label on its pods, in every release."""


def job_view(job: Manifest, *, owner: str) -> JobView:
    """A Job as its controller left it. One that is not `owner`'s, by uid, was made for an ensemble of the same name
    that is no more: it goes, and what it tried counts for nothing."""
    status = job.get("status") or {}
    holds = {each["type"]: each for each in status.get("conditions") or [] if each["status"] == "True"}
    failed, complete = holds.get("Failed"), holds.get("Complete")
    ended = failed or complete
    return JobView(
        failure=_why(failed) if failed else "",
        ended_at=_seconds(ended.get("lastTransitionTime")) if ended else None,
        deleting="deletionTimestamp" in job["metadata"] or not owned_by([job], owner),
        suspended=bool((job.get("spec") or {}).get("suspend")),
    )


def distiller_views(
    pods: Iterable[Manifest], progress: Mapping[str, Progress], *, job: str, mark: str
) -> list[DistillerView]:
    """The pods that distil what has this mark, the latest last; those of other Jobs only if they are done with it."""
    views = [
        (pod, _view(pod, progress)) for pod in pods if (pod["metadata"].get("labels") or {}).get(LABEL_MARK) == mark
    ]
    kept = [
        (pod, view)
        for pod, view in views
        if pod["metadata"]["labels"].get(_JOB_NAME) == job or view.outcome is not None
    ]
    return [view for _, view in sorted(kept, key=lambda each: _age(each[0]))]


def _age(pod: Manifest) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]


def _view(pod: Manifest, progress: Mapping[str, Progress]) -> DistillerView:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    phase = status.get("phase", "Pending")
    ended = _terminated(status)
    ending = parse_ending((ended or {}).get("message") or "")
    error = ending.error if ending is not None else ""
    deleting = "deletionTimestamp" in pod["metadata"]
    return DistillerView(
        name=name,
        ended=phase in ("Succeeded", "Failed"),
        running=phase == "Running" and ended is None and not deleting,
        outcome=ending.outcome if ending is not None and (ended or {}).get("exitCode") == 0 else None,
        words=_words(name, status, ended or {}, error) if phase == "Failed" else "",
        problem=problem_of(status)[1],
        progress=progress.get(name),
    )


def _terminated(status: Manifest) -> Manifest | None:
    for container in status.get("containerStatuses") or []:
        ended: Manifest | None = (container.get("state") or {}).get("terminated")
        if ended is not None:
            return ended
    return None


def _words(pod: str, status: Manifest, ended: Manifest, error: str) -> str:
    """The pod's own word, else the end of its log, else what its kubelet says."""
    if error:
        return error
    said = [each for each in (status.get("reason"), status.get("message")) if each]
    if said:
        return f"pod {pod}: {': '.join(said)}"
    how = f"pod {pod} ended with exit code {ended.get('exitCode', '?')}"
    reason = ended.get("reason") or ""
    if reason == "OOMKilled":
        return f"{how}: out of memory; ask for more in spec.distill.resources"
    log = " ".join((ended.get("message") or "").split())
    return f"{how}: {log}" if log else how


def _why(condition: Manifest) -> str:
    return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ") or "the Job failed"


def _seconds(time: str | None) -> float:
    """A time of the API in seconds since 1970; 0 for one that is missing, which is long ago."""
    return datetime.datetime.fromisoformat(time).timestamp() if time else 0.0
