"""The worker's metrics: exactly those of the contract, in a registry of their own."""

from __future__ import annotations

from typing import cast

import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.registry import Collector

from phalanx_contract import metrics as names
from phalanx_contract.metrics import Metric
from phalanx_server.histograms import Histogram

# A `_created` series beside every counter and histogram would be a third more for Prometheus to store, for nothing.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Looked up by the contract's `Metric`, so that no name is written twice. Safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._by_name: dict[str, Collector] = {metric.name: _make(metric) for metric in names.ALL}
        for collector in self._by_name.values():
            self.registry.register(collector)
        self._plan = ""

    def inc(self, metric: Metric, *labels: object, by: float = 1) -> None:
        """Add to a counter."""
        self._child(metric, labels).inc(by)

    def set(self, metric: Metric, *labels: object, to: float) -> None:
        """Set a gauge."""
        self._child(metric, labels).set(to)

    def add(self, metric: Metric, *labels: object, by: float) -> None:
        """Move a gauge."""
        self._child(metric, labels).inc(by)

    def observe(self, metric: Metric, *labels: object, values: npt.ArrayLike) -> None:
        """Count the values of a batch, or a single one, in a histogram."""
        cast(Histogram, self._by_name[metric.name]).observe(labels, values)

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

    def _child(self, metric: Metric, labels: tuple[object, ...]):  # type: ignore[no-untyped-def]
        found = self._by_name[metric.name]
        return found.labels(*labels) if metric.labels else found  # type: ignore[attr-defined]


def _make(metric: Metric) -> Collector:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=None)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, registry=None)
    return Histogram(metric)
