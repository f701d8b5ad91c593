"""Metrics of the resources themselves, read from the store when Prometheus asks.

So they are never stale, and those of a deleted resource are gone at once. They let dashboards and alerts join what
workers measure with what the resources promise. TenantAdapters, of which there are many, are counted, not listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_contract.metrics import Metric
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.api.units import parse_duration
from phalanx_operator.observe.store import Ref, Store, ref_of

OBJECTIVE: Final = Metric(
    name="phalanx_operator_objective_seconds",
    kind="gauge",
    labels=("namespace", "pool", "ensemble"),
    help="Latency objective (p99) of the pool that serves the ensemble.",
)
CONDITION: Final = Metric(
    name="phalanx_operator_condition",
    kind="gauge",
    labels=("namespace", "kind", "name", "type", "reason"),
    help="Conditions of ServingPools and StudentEnsembles: 1 where one holds, 0 where it does not or is not known.",
)
DECISION: Final = Metric(
    name="phalanx_operator_decision",
    kind="gauge",
    labels=("namespace", "kind", "name", "field", "action", "reason"),
    help="1 for the latest decision in each field of the status.",
)
REPLICAS: Final = Metric(
    name="phalanx_operator_replicas",
    kind="gauge",
    labels=("namespace", "pool", "state"),
    help="Workers of a pool: those that are wanted, those that are present, those that are ready.",
)
ADAPTERS: Final = Metric(
    name="phalanx_operator_adapters",
    kind="gauge",
    labels=("namespace", "ensemble", "reason"),
    help="TenantAdapters, by the reason of their condition Ready.",
)
ALL: Final = (OBJECTIVE, CONDITION, DECISION, REPLICAS, ADAPTERS)

_Row = tuple[tuple[str, ...], float]


class Census(Collector):
    """Counts what the store holds, while `speaks` says so. Register it while the store is filled.

    Of several replicas the leader alone speaks: of two series about one resource, queries that join would refuse both.
    """

    def __init__(self, store: Store, *, speaks: Callable[[], bool] = lambda: True) -> None:
        self._store = store
        self._speaks = speaks

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each metric of `ALL`."""
        if not self._speaks():
            return
        pools, ensembles = self._store.all_of("ServingPool"), self._store.all_of("StudentEnsemble")
        both = [*pools, *ensembles]
        yield _family(OBJECTIVE, (row for obj in ensembles for row in self._objective(obj)))
        yield _family(CONDITION, (row for obj in both for row in _conditions(obj)))
        yield _family(DECISION, (row for obj in both for row in _decisions(obj)))
        yield _family(REPLICAS, (row for obj in pools for row in _replicas(obj)))
        yield _family(ADAPTERS, _adapters(self._store.all_of("TenantAdapter")))

    def _objective(self, ensemble: Manifest) -> Iterator[_Row]:
        key, name = ref_of(ensemble).key, str(ensemble["spec"].get("pool"))
        pool = self._store.get(Ref("ServingPool", Key(key.namespace, name)))
        try:
            seconds = parse_duration(pool["spec"]["objective"]["p99"]) if pool else None
        except (KeyError, TypeError, ValueError):
            return  # a spec that the server did not fill in or check: its condition Accepted tells of it
        if seconds is not None:
            yield (key.namespace, name, key.name), seconds


def _family(metric: Metric, rows: Iterator[_Row]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def _conditions(obj: Manifest) -> Iterator[_Row]:
    key = ref_of(obj).key
    for each in _status(obj).get("conditions") or ():
        holds = each["status"] == ConditionStatus.TRUE
        yield (key.namespace, obj["kind"], key.name, each["type"], each["reason"]), float(holds)


def _decisions(obj: Manifest) -> Iterator[_Row]:
    key = ref_of(obj).key
    for field, value in _status(obj).items():
        if field.lower().endswith("decision") and isinstance(value, dict) and "action" in value:
            yield (key.namespace, obj["kind"], key.name, field, value["action"], value["reason"]), 1.0


def _replicas(pool: Manifest) -> Iterator[_Row]:
    key, status = ref_of(pool).key, _status(pool)
    fields = {"wanted": "wanted", "present": "replicas", "ready": "readyReplicas"}
    for state, field in fields.items():
        if field in status:
            yield (key.namespace, key.name, state), float(status[field])


def _adapters(adapters: list[Manifest]) -> Iterator[_Row]:
    counts = Counter((ref_of(obj).key.namespace, str(obj["spec"].get("ensemble")), _ready(obj)) for obj in adapters)
    yield from ((labels, float(count)) for labels, count in counts.items())


def _ready(obj: Manifest) -> str:
    """The reason of the condition Ready."""
    conditions = _status(obj).get("conditions") or ()
    return next((str(each["reason"]) for each in conditions if each["type"] == ConditionType.READY), Reason.UNKNOWN)


def _status(obj: Manifest) -> Manifest:
    return obj.get("status") or {}
