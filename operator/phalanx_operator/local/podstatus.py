"""Where a local pod stands, and the same as the `status` of a Kubernetes Pod. Pure."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from phalanx_operator.api.types import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class PodStatus:
    """`started_at` is the wall clock (s since 1970) of the latest start of the process.

    `waiting` is empty, or why no process runs now (`CrashLoopBackOff`); `message` says what went wrong last; `ending`
    is the termination message of the latest run.
    """

    phase: str = "Pending"
    started: bool = False
    ready: bool = False
    restarts: int = 0
    pid: int | None = None
    exit_code: int | None = None
    waiting: str = ""
    message: str = ""
    ending: str = ""
    started_at: float | None = None


def timestamp(at: float) -> str:
    """RFC 3339 in UTC, to the second, as the Kubernetes API writes it."""
    return datetime.datetime.fromtimestamp(at, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(pod: Manifest, status: PodStatus, *, host: str, now: float) -> Manifest:
    """The `status` of a Pod object. Transition times are `now`: the caller writes it only when it differs."""
    container = pod["spec"]["containers"][0]
    ready = "True" if status.ready else "False"
    conditions = [
        {"type": kind, "status": value, "lastTransitionTime": timestamp(now)}
        for kind, value in (
            ("Initialized", "True"),
            ("Ready", ready),
            ("ContainersReady", ready),
            ("PodScheduled", "True"),
        )
    ]
    return {
        "phase": status.phase,
        "podIP": host,
        "podIPs": [{"ip": host}],
        "hostIP": host,
        "startTime": timestamp(status.started_at or now),
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container.get("image", ""),
                "imageID": "",
                "ready": status.ready,
                "started": status.started,
                "restartCount": status.restarts,
                "state": _state(status, now),
                "lastState": _last_state(status, now),
            }
        ],
    }


def _state(status: PodStatus, now: float) -> Manifest:
    if status.pid is not None:
        return {"running": {"startedAt": timestamp(status.started_at or now)}}
    if status.phase in ("Succeeded", "Failed"):
        return {"terminated": _terminated(status, now)}
    return {"waiting": {"reason": status.waiting or "ContainerCreating", "message": status.message}}


def _last_state(status: PodStatus, now: float) -> Manifest:
    if status.exit_code is None or status.restarts == 0:
        return {}
    return {"terminated": _terminated(status, now)}


def _terminated(status: PodStatus, now: float) -> Manifest:
    """Kubernetes knows exit codes of 0 to 255 only; death by signal n is 128 + n."""
    code = status.exit_code or 0
    ended: Manifest = {
        "exitCode": code if code >= 0 else 128 - code,
        "reason": "Completed" if code == 0 else "Error",
        "finishedAt": timestamp(now),
    }
    return ended | {"message": status.ending} if status.ending else ended
