"""Pods and their reports as the workers that decisions and conditions speak of. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_contract.worker import WorkerStatus
from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.types import SETTLED, Deployed, WorkerView
from phalanx_operator.observe.targets import is_ready

_OVER: Final = ("Failed", "Succeeded")
_STARTING: Final = ("ContainerCreating", "PodInitializing", "")
_CRASHES: Final = 2
"""So many restarts are no accident, if the last run failed too and the present one is not ready."""
_PULLING: Final = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
PASSING_S: Final = 10.0
"""A pod that finds no node for less than this waits for its turn: in every rolling update the next one does, until the
scheduler has seen that the last one's GPU is free."""


def worker_views(pods: Iterable[Manifest], reports: Mapping[str, WorkerStatus], *, now: float) -> list[WorkerView]:
    """The pods that are meant to serve, sorted by name: not those that end, were evicted or are done.

    `now` in s since 1970.
    """
    pods = list(pods)
    ending = any("deletionTimestamp" in pod["metadata"] for pod in pods)
    alive = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and _phase(pod) not in _OVER)
    views = (_view(pod, reports, lasts=not ending and _waits_s(pod, now) >= PASSING_S) for pod in alive)
    return sorted(views, key=lambda view: view.name)


def deployed_of(deployment: Manifest | None) -> Deployed:
    """What the status of a pool's Deployment says; nothing where there is none."""
    status = (deployment or {}).get("status")
    if deployment is None or not status:
        return SETTLED
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    pods, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    said = {(each["type"], each["status"]): each for each in status.get("conditions") or []}
    progress = said.get(("Progressing", "False"), {})
    return Deployed(
        outdated=max(0, pods - updated) if seen else pods,
        stuck=progress.get("message", "") if seen and progress.get("reason") == "ProgressDeadlineExceeded" else "",
        refused=said.get(("ReplicaFailure", "True"), {}).get("message", ""),
    )


def _phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _view(pod: Manifest, reports: Mapping[str, WorkerStatus], *, lasts: bool) -> WorkerView:
    """`lasts` is about a pod without a node; every other problem does."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    problem, message = problem_of(status)
    return WorkerView(
        name=name,
        ready=is_ready(pod),
        report=reports.get(name),
        problem=problem,
        message=message,
        lasts=lasts or problem is not Reason.WORKERS_UNSCHEDULABLE,
        started=any(map(_has_run, status.get("containerStatuses") or [])),
    )


def _has_run(container: Manifest) -> bool:
    return bool(container.get("restartCount") or {"running", "terminated"} & (container.get("state") or {}).keys())


def _waits_s(pod: Manifest, now: float) -> float:
    """How long the scheduler has found no node, in s."""
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("lastTransitionTime"):
            return now - datetime.datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
    return 0.0


def problem_of(status: Manifest) -> tuple[Reason | None, str]:
    """What the scheduler or the kubelet says is wrong."""
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Reason.WORKERS_UNSCHEDULABLE, condition.get("message", "")
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason", "") in _PULLING:
            return Reason.IMAGE_NOT_PULLED, _pull(container, waiting)
        if waiting and waiting.get("reason", "") not in _STARTING:
            return Reason.WORKERS_CRASHING, f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
        ended, restarts = (container.get("lastState") or {}).get("terminated"), container.get("restartCount", 0)
        # Between two back-offs it runs for a moment; it would turn to and fro between crashing and starting.
        if ended and ended.get("exitCode") and restarts >= _CRASHES and not container.get("ready"):
            return Reason.WORKERS_CRASHING, f"restarted {restarts} times, ended last with exit code {ended['exitCode']}"
    return None, ""


def _pull(container: Manifest, waiting: Manifest) -> str:
    """The image, and once only what the kubelet says of it: it tells the cause and `Back-off` in turn."""
    image = container.get("image", "")
    cause = waiting.get("message", "") if waiting["reason"] not in ("ImagePullBackOff", "ErrImagePull") else ""
    return f"image {image} cannot be pulled{': ' if cause else ''}{cause}"
