"""Kubernetes Events about what the operator decided."""

from __future__ import annotations

import datetime
import os
import uuid
from collections import OrderedDict
from typing import Any, Final

from phalanx_contract.runtime import FIELD_MANAGER
from phalanx_operator.api.types import Manifest
from phalanx_operator.apply.api import MERGE, ApiError, KubeApi
from phalanx_operator.apply.paths import collection, item
from phalanx_operator.apply.series import Diary, Entry, enter

MAX_NOTE: Final = 1024
"""Characters that the API accepts in an event's note."""
MAX_OBJECTS: Final = 4096
"""Objects whose latest events are remembered; of more, the longest silent are forgotten."""


def build_event(
    obj: Manifest, *, name: str, reason: str, note: str, action: str, warning: bool, now: float
) -> Manifest:
    """An Event about `obj`; `now` is in seconds since 1970."""
    meta = obj["metadata"]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": meta["namespace"]},
        "eventTime": micro_time(now),
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


def micro_time(now: float) -> str:
    """Seconds since 1970 as the API writes a MicroTime."""
    return datetime.datetime.fromtimestamp(now, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Recorder:
    """Posts events, or counts up those that were posted before: one object's cannot flood the cluster."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._diaries: OrderedDict[str, Diary] = OrderedDict()

    async def record(self, obj: Manifest, *, reason: str, note: str, action: str, warning: bool, now: float) -> None:
        """Tell something about `obj` at `now` (s since 1970). Raises ApiError."""
        uid = obj["metadata"].get("uid", "")
        name = f"{obj['metadata']['name']}.{uuid.uuid4().hex[:16]}"
        entry = enter(self._diaries.get(uid, Diary()), (reason, action), note, name=name, now=now)
        self._keep(uid, entry.diary)
        if entry.new:
            await self._post(obj, name=name, reason=reason, note=note, action=action, warning=warning, now=now)
        elif entry.count and not await self._repeat(obj, entry, now):
            await self._post(obj, name=entry.name, reason=reason, note=note, action=action, warning=warning, now=now)

    def _keep(self, uid: str, diary: Diary) -> None:
        self._diaries[uid] = diary
        self._diaries.move_to_end(uid)
        if len(self._diaries) > MAX_OBJECTS:
            self._diaries.popitem(last=False)

    async def _post(self, obj: Manifest, **content: Any) -> None:
        event = build_event(obj, **content)
        await self._api.create(collection("events.k8s.io/v1", "Event", event["metadata"]["namespace"]), event)

    async def _repeat(self, obj: Manifest, entry: Entry, now: float) -> bool:
        """Write how often it was so; False if the server has forgotten the event by now."""
        path = item("events.k8s.io/v1", "Event", obj["metadata"]["namespace"], entry.name)
        series = {"count": entry.count, "lastObservedTime": micro_time(now)}
        try:
            await self._api.patch(path, {"series": series}, kind=MERGE, fieldManager=FIELD_MANAGER)
        except ApiError as error:
            if error.gone:
                return False
            raise
        return True
