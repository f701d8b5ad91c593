"""The operator's own metrics; docs/operations.md has them as a table. Every label takes few values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
POOLS: Final = Gauge(
    "phalanx_operator_pools",
    "Pools that this replica looks after, by state: waiting (for a change or the interval), due (marked, about to be "
    "looked at), running (a round), failing (waiting to try again after an error).",
    labelnames=("state",),
    registry=REGISTRY,
)
LEADER: Final = Gauge("phalanx_operator_leader", "1 while this replica may write, else 0.", registry=REGISTRY)
TERMS: Final = Counter("phalanx_operator_terms", "Times that this replica became the leader.", registry=REGISTRY)
FENCED: Final = Counter(
    "phalanx_operator_fenced_writes",
    "Writes that were kept back because the lease had run out.",
    registry=REGISTRY,
)
API_REQUESTS: Final = Counter(
    "phalanx_operator_api_requests",
    "Requests to the API server but for watches, each try by itself; code `none`: no answer.",
    labelnames=("verb", "resource", "code"),
    registry=REGISTRY,
)
API_SECONDS: Final = Histogram(
    "phalanx_operator_api_request_seconds",
    "Seconds that a request to the API server took.",
    labelnames=("verb",),
    registry=REGISTRY,
)
WATCH_RESTARTS: Final = Counter(
    "phalanx_operator_watch_restarts",
    "Times that a watch of this kind began again with a list, after an outage or an expired version.",
    labelnames=("kind",),
    registry=REGISTRY,
)
MISSED: Final = Counter(
    "phalanx_operator_missed_changes",
    "Changes that a list showed before any watch did; many of them are the sign of a dead watch.",
    labelnames=("kind",),
    registry=REGISTRY,
)


@dataclass(slots=True)
class Outcome:
    """Of one request: the HTTP status, or `none`."""

    code: str = "none"


@contextmanager
def api_request(verb: str, resource: str) -> Iterator[Outcome]:
    """Count a request and time it; the caller notes the status on what this gives."""
    outcome, begun = Outcome(), time.perf_counter()
    try:
        yield outcome
    finally:
        API_REQUESTS.labels(verb=verb, resource=resource, code=outcome.code).inc()
        API_SECONDS.labels(verb=verb).observe(time.perf_counter() - begun)
