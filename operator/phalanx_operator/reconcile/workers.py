"""Pods and their reports as the workers that decisions and conditions speak of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_contract.worker import WorkerStatus
from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.types import WorkerView
from phalanx_operator.observe.targets import is_ready

_OVER: Final = ("Failed", "Succeeded")
_STARTING: Final = ("ContainerCreating", "PodInitializing", "")
_CRASHES: Final = 2
"""So many restarts are no accident, if the last run failed too and the present one is not ready."""


def worker_views(pods: Iterable[Manifest], reports: Mapping[str, WorkerStatus]) -> list[WorkerView]:
    """The pods that are meant to serve, sorted by name: not those that end, were evicted or are done."""
    alive = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and _phase(pod) not in _OVER)
    return sorted((_view(pod, reports) for pod in alive), key=lambda view: view.name)


def _phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _view(pod: Manifest, reports: Mapping[str, WorkerStatus]) -> WorkerView:
    name = pod["metadata"]["name"]
    problem, message = problem_of(pod.get("status", {}))
    return WorkerView(name=name, ready=is_ready(pod), report=reports.get(name), problem=problem, message=message)


def problem_of(status: Manifest) -> tuple[Reason | None, str]:
    """What the scheduler or the kubelet says is wrong."""
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Reason.WORKERS_UNSCHEDULABLE, condition.get("message", "")
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason", "") not in _STARTING:
            return Reason.WORKERS_CRASHING, f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
        ended, restarts = (container.get("lastState") or {}).get("terminated"), container.get("restartCount", 0)
        # Between two back-offs it runs for a moment; it would turn to and fro between crashing and starting.
        if ended and ended.get("exitCode") and restarts >= _CRASHES and not container.get("ready"):
            return Reason.WORKERS_CRASHING, f"restarted {restarts} times, ended last with exit code {ended['exitCode']}"
    return None, ""
