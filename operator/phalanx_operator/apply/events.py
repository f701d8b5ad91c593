"""Kubernetes Events about what the operator decided."""

from __future__ import annotations

import datetime
import os
import uuid

from phalanx_contract.runtime import FIELD_MANAGER
from phalanx_operator.api.types import Manifest
from phalanx_operator.apply.api import KubeApi
from phalanx_operator.apply.paths import collection

MAX_NOTE = 1024
"""Characters that the API accepts in an event's note."""


def build_event(obj: Manifest, *, reason: str, note: str, action: str, warning: bool, now: float) -> Manifest:
    """An Event about `obj`; `now` is in seconds since 1970. Its name is a new one each time."""
    meta = obj["metadata"]
    time = datetime.datetime.fromtimestamp(now, tz=datetime.UTC)
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": meta["namespace"]},
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "action": action,
        "note": note if len(note) <= MAX_NOTE else note[: MAX_NOTE - 3] + "...",
        "reportingController": f"phalanx.dev/{FIELD_MANAGER}",
        "reportingInstance": os.environ.get("HOSTNAME") or FIELD_MANAGER,
        "regarding": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta.get("uid", ""),
        },
    }


async def record(api: KubeApi, event: Manifest) -> None:
    """Post an event. Raises ApiError."""
    await api.create(collection("events.k8s.io/v1", "Event", event["metadata"]["namespace"]), event)
