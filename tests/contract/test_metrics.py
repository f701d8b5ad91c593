"""Metric names keep to Prometheus's conventions and their labels stay bounded."""

from __future__ import annotations

import re

import pytest

from phalanx_contract import metrics

BOUNDED = {"ensemble", "code", "students", "row", "agrees", "state", "result", "hash", "artifact"}


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_a_metric_has_the_prefix_a_help_line_and_bounded_labels(metric: metrics.Metric) -> None:
    assert re.fullmatch(r"phalanx_[a-z_]+[a-z]", metric.name)
    assert not metric.name.endswith("_total"), "clients add the suffix to counters"
    assert metric.help.endswith(".")
    assert set(metric.labels) <= BOUNDED
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_every_metric_of_the_module_is_registered_once() -> None:
    defined = [value for value in vars(metrics).values() if isinstance(value, metrics.Metric)]
    assert sorted(metric.name for metric in defined) == sorted({metric.name for metric in metrics.ALL})
