"""The alert rules as a Prometheus rules file: plain, and as what the chart wraps into a PrometheusRule. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from phalanx_operator.monitoring.alerts import GROUPS
from phalanx_operator.monitoring.alerts.alert import Alert


def groups() -> dict[str, Any]:
    """The content of the file."""
    return {"groups": [{"name": name, "rules": [_rule(alert) for alert in alerts]} for name, alerts in GROUPS.items()]}


def text() -> str:
    """As a file."""
    return yaml.safe_dump(groups(), sort_keys=False, width=112, allow_unicode=True)


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.hold,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "description": alert.description, "runbook_url": alert.runbook},
    }
