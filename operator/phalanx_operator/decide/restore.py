"""Take up decisions where an earlier operator left them, from nothing but the status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phalanx_operator.decide.types import ExitsState, StudentsState


def restore_students(status: Mapping[str, Any], *, now: float) -> StudentsState:
    """The state that a status amounts to. When it last changed is not known, so the cool-down starts again."""
    shown = status.get("students") or {}
    lowered = bool(shown.get("lowered"))
    return StudentsState(
        digest=_digest(status),
        floor=shown.get("floor") or 1,
        ceiling=shown.get("ceiling"),
        lowered=lowered,
        changed_at=now if lowered else None,
    )


def restore_exits(status: Mapping[str, Any], *, now: float) -> ExitsState:
    """The thresholds that a status shows."""
    thresholds = tuple(float(value) for value in status.get("thresholds") or ())
    return ExitsState(digest=_digest(status), thresholds=thresholds, raised_at=now if thresholds else None)


def _digest(status: Mapping[str, Any]) -> str:
    digest: str = (status.get("artifact") or {}).get("wanted") or ""
    return digest
