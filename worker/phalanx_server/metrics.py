"""The worker's metrics: exactly those of the contract, in a registry of their own."""

from __future__ import annotations

from typing import cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.registry import Collector

from phalanx_contract import metrics as names
from phalanx_contract.metrics import Metric
from phalanx_server.scores import RampScores

# A `_created` series beside every counter and histogram would be a third more for Prometheus to store, for nothing.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Looked up by the contract's `Metric`, so that no name is written twice. Safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ramp_scores = RampScores()
        self.registry.register(self.ramp_scores)
        self._by_name: dict[str, Collector] = {
            metric.name: _make(metric, self.registry) for metric in names.ALL if metric != names.RAMP_SCORE
        }
        self._plan = ""

    def inc(self, metric: Metric, *labels: object, by: float = 1) -> None:
        """Add to a counter."""
        self._child(Counter, metric, labels).inc(by)

    def set(self, metric: Metric, *labels: object, to: float) -> None:
        """Set a gauge."""
        self._child(Gauge, metric, labels).set(to)

    def add(self, metric: Metric, *labels: object, by: float) -> None:
        """Move a gauge."""
        self._child(Gauge, metric, labels).inc(by)

    def observe(self, metric: Metric, *labels: object, value: float) -> None:
        """Count a value in a histogram."""
        self._child(Histogram, metric, labels).observe(value)

    def plan(self, plan_hash: str) -> None:
        """Show the plan being served, and no other."""
        gauge = cast(Gauge, self._by_name[names.PLAN_INFO.name])
        if self._plan:
            gauge.remove(self._plan)
        gauge.labels(plan_hash).set(1)
        self._plan = plan_hash

    def forget(self, metric: Metric, *labels: object) -> None:
        """Drop a series, as of an ensemble that is gone."""
        gauge = cast(Gauge, self._by_name[metric.name])
        gauge.remove_by_labels(dict(zip(metric.labels, map(str, labels), strict=False)))

    def render(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def _child(self, kind: type, metric: Metric, labels: tuple[object, ...]):  # type: ignore[no-untyped-def]
        found = self._by_name[metric.name]
        return found.labels(*labels) if metric.labels else found  # type: ignore[attr-defined]


def _make(metric: Metric, registry: CollectorRegistry) -> Collector:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, registry=registry)
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
