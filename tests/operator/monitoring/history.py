"""A past for every metric that there is, for a real Prometheus to be asked about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from phalanx_contract.metrics import Metric
from phalanx_operator.monitoring.series import OPERATOR, WORKER
from tests.e2e.prometheus import promtool

STEP_S: Final = 15
SPAN_S: Final = 1200
POD: Final = "gpus-7d9f8c6b5f-abcde"

_VALUES: Final = {
    "namespace": ("ml",), "ensemble": ("sentiment",), "pool": ("gpus",), "students": ("1", "4"), "code": ("200", "429"),
    "row": ("0", "final"), "agrees": ("true", "false"), "state": ("used", "free"), "result": ("done", "failed"),
    "hash": ("sha256:1",), "kind": ("ServingPool",), "name": ("gpus",), "type": ("Ready",), "reason": ("NotLoaded",),
    "action": ("Lower",), "field": ("decision",), "verb": ("patch",), "resource": ("configmaps",),
    "artifact": ("candidate", "serving"),
}  # fmt: skip
"""Label values that occur; a label without one here is a test that has to be brought up to date."""
_TARGET: Final = {"namespace": "ml", "pod": POD, "instance": "10.0.0.1:8080", "job": "workers"}


def record(folder: Path, *, until: int) -> None:
    """Write blocks of a Prometheus's storage into `folder`; `until` is the last sample's time (s since 1970)."""
    text = "\n".join([*(line for metric in (*WORKER, *OPERATOR) for line in _family(metric, until)), "# EOF", ""])
    (folder / "history.om").write_text(text)
    done = promtool("tsdb", "create-blocks-from", "openmetrics", folder / "history.om", folder / "data")
    assert done.returncode == 0, done.stderr


def _family(metric: Metric, until: int) -> Iterator[str]:
    yield f"# TYPE {metric.name} {metric.kind}"
    own = (dict(zip(metric.labels, values, strict=True)) for values in _combinations(metric))
    for labels, at in itertools.product(list(own), range(until - SPAN_S, until + 1, STEP_S)):
        # Samples may not be a condition that holds: the panel of those that fail shows zeros alone.
        count = at - until + SPAN_S if metric.kind != "gauge" else 0 if metric.name.endswith("condition") else 0.5
        for suffix, more, value in _samples(metric, count):
            shown = ",".join(f'{name}="{value}"' for name, value in {**_TARGET, **labels, **more}.items())
            yield f"{metric.exposed}{suffix}{{{shown}}} {value} {at}"


def _combinations(metric: Metric) -> itertools.product[tuple[str, ...]]:
    return itertools.product(*(_VALUES[label] for label in metric.labels))


def _samples(metric: Metric, count: float) -> Iterator[tuple[str, dict[str, str], float]]:
    if metric.kind != "histogram":
        yield "", {}, count
        return
    for bound in (0.01, 0.02):
        yield "_bucket", {"le": str(bound)}, count / 2
    yield "_bucket", {"le": "+Inf"}, count
    yield "_sum", {}, count / 50
    yield "_count", {}, count
