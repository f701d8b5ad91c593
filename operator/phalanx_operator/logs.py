"""The operator's log, for people (text) or for machines (one JSON object a line): Kopf's words go through it, too.

A message says everything by itself; `about` adds the same as fields, for whoever searches.
"""

from __future__ import annotations

import datetime
import json
import logging
from typing import Any, Final

from phalanx_operator.observe.store import Ref

TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
KINDS: Final = {"ServingPool": "pool", "StudentEnsemble": "ensemble", "TenantAdapter": "adapter"}


def about(ref: Ref | None = None, **fields: object) -> dict[str, dict[str, str]]:
    """What a message is about, as `extra=about(...)`: an object under its kind's name, and fields by their own."""
    named = {} if ref is None else {KINDS.get(ref.kind, "object"): str(ref.key if ref.kind in KINDS else ref)}
    return {"about": {**named, **{name: str(value) for name, value in fields.items()}}}


class JsonFormatter(logging.Formatter):
    """Each record as an object: `time`, `level`, `logger`, `message`, what it is about, and the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, tz=datetime.UTC)
        shown: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        seen = getattr(record, "k8s_ref", None)
        if isinstance(seen, dict):
            shown["object"] = f"{seen.get('kind')} {seen.get('namespace')}/{seen.get('name')}"
        if record.exc_info:
            shown["exception"] = self.formatException(record.exc_info)
        return json.dumps(shown, ensure_ascii=False)


def configure(*, level: str, as_json: bool) -> None:
    """Have the whole process log to standard error, from `level` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # Kopf tells of every event that was handled; rounds tell of what was done.
    logging.getLogger("kopf.objects").setLevel(max(logging.WARNING, logging.getLogger().level))
