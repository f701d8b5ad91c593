"""Take up decisions where an earlier operator left them, from nothing but the status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phalanx_operator.decide.types import ExitsState, StudentsState


def restore_students(status: Mapping[str, Any], *, now: float) -> StudentsState:
    """The state that a status amounts to. When it last changed is not known, so the cool-down starts again.

    A ceiling counts as lowered by load: bounds that were widened meanwhile are reached step by step.
    """
    shown = status.get("students") or {}
    ceiling = shown.get("ceiling")
    return StudentsState(
        digest=_digest(status),
        floor=shown.get("floor") or 1,
        ceiling=ceiling,
        lowered=ceiling is not None,
        changed_at=now if ceiling is not None else None,
    )


def restore_exits(status: Mapping[str, Any], *, now: float) -> ExitsState:
    """The thresholds that a status shows."""
    thresholds = tuple(float(value) for value in status.get("thresholds") or ())
    return ExitsState(digest=_digest(status), thresholds=thresholds, raised_at=now if thresholds else None)


def _digest(status: Mapping[str, Any]) -> str:
    digest: str = (status.get("artifact") or {}).get("wanted") or ""
    return digest
