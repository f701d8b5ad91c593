"""Which panels there are: first whether users are served well, then why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phalanx_operator.monitoring.panels import Panel
from phalanx_operator.monitoring.rows import engine, glance, load, operations, replicas, students, tenants

ROWS: Final[Mapping[str, tuple[Panel, ...]]] = {
    "At a glance": glance.PANELS,
    "Load and latency": load.PANELS,
    "Students and accuracy": students.PANELS,
    "Engine": engine.PANELS,
    "Tenants": tenants.PANELS,
    "Pools and operator": operations.PANELS,
    "Replicas of the operator": replicas.PANELS,
}
