"""What counts as refused: a right that was missing, and not a server that has not read its roles yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.audit import AuditLog, Right, Start

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STARTS = [Start(NOON, NOON + timedelta(seconds=5))]
BEFORE, WHILE, READY = -0.001, 4.999, 5.0
"""Seconds after the start."""


def log(folder: Path, *, seconds: float, code: int, decision: str) -> AuditLog:
    file = folder / "audit.log"
    entry = {
        "verb": "watch",
        "user": {"username": "operator"},
        "requestURI": "/api/v1/pods?watch=true",
        "objectRef": {"resource": "pods", "namespace": "a"},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z"),
        "annotations": {"authorization.k8s.io/decision": decision},
    }
    file.write_text(json.dumps(entry) + "\n")
    return AuditLog(file, STARTS)


@pytest.mark.parametrize(("seconds", "counts"), [(BEFORE, True), (WHILE, False), (READY, True)])
def test_a_server_that_is_not_ready_refuses_nobody(tmp_path, seconds, counts):
    audit = log(tmp_path, seconds=seconds, code=403, decision="forbid")
    assert [request.right for request in audit.refused()] == ([Right("", "pods", "watch")] if counts else [])
    assert len(audit.requests()) == 1


@pytest.mark.parametrize(("code", "decision"), [(403, "allow"), (200, "allow"), (404, "allow")])
def test_only_a_missing_right_counts(tmp_path, code, decision):
    """With `allow` it was admission that said no."""
    assert log(tmp_path, seconds=READY, code=code, decision=decision).refused() == []


def test_only_what_came_since(tmp_path):
    audit = log(tmp_path, seconds=READY, code=403, decision="forbid")
    assert audit.refused(since=audit.end()) == []
