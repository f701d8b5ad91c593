"""Histograms that are counted a batch at a time.

Every text is in several of them, and every ramp is measured for every text: the client library takes some microseconds
for each value while it holds the interpreter, a whole batch takes about as long here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from phalanx_contract.metrics import Metric


@dataclass(slots=True)
class _Series:
    """Values by bucket (not cumulative), and their sum."""

    counts: npt.NDArray[np.int64]
    total: float = 0.0


class Histogram(Collector):
    """All series of one metric. Safe to use from any thread."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._bounds = np.array(metric.buckets)
        self._names = (*(repr(float(bound)) for bound in metric.buckets), "+Inf")
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], _Series] = {}

    def observe(self, labels: tuple[object, ...], values: npt.ArrayLike) -> None:
        """Count values [M], or a single one."""
        array = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if not array.size:
            return
        counts = np.bincount(np.searchsorted(self._bounds, array), minlength=len(self._names))
        key = tuple(map(str, labels))
        with self._lock:
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = _Series(np.zeros(len(self._names), dtype=np.int64))
            series.counts += counts
            series.total += float(array.sum())

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The name, so that no other collector takes it."""
        yield self._family()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For the registry."""
        family = self._family()
        with self._lock:
            for labels, series in self._series.items():
                cumulative = np.cumsum(series.counts).tolist()
                family.add_metric(labels, list(zip(self._names, cumulative, strict=True)), series.total)
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
