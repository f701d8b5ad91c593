"""The operator's own metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry()

ROUNDS: Final = Counter(
    "phalanx_operator_rounds", "Rounds of all pools, by result.", labelnames=("result",), registry=REGISTRY
)
ROUND_SECONDS: Final = Histogram("phalanx_operator_round_seconds", "Seconds that a round took.", registry=REGISTRY)
DECISIONS: Final = Counter(
    "phalanx_operator_decisions",
    "Decisions that changed an operating point, by action and reason.",
    labelnames=("action", "reason"),
    registry=REGISTRY,
)
