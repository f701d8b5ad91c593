"""The operator's metrics of the resources that it serves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry

from phalanx_operator.observe.store import Ref, Store, ref_of
from phalanx_operator.reconcile import census
from phalanx_operator.reconcile.census import Census
from tests.operator.objects import adapter, ensemble, pool


def condition(kind: str, status: str, reason: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "t"}


def with_status(obj: dict[str, Any], *conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    return {**obj, "status": {"conditions": list(conditions), **status}}


def values(objects: Iterable[dict[str, Any]], metric: Any) -> dict[tuple[str, ...], float]:
    """Value by the values of the labels."""
    registry = CollectorRegistry()
    registry.register(Census(Store(objects)))
    (family,) = (each for each in registry.collect() if each.name == metric.name)
    return {tuple(sample.labels[label] for label in metric.labels): sample.value for sample in family.samples}


def test_an_ensemble_has_the_objective_of_its_pool():
    objects = [pool(objective={"p99": "20ms"}), ensemble(), ensemble("lost", pool="nowhere")]
    assert values(objects, census.OBJECTIVE) == {("default", "gpus", "sentiment"): 0.02}


def test_an_objective_that_makes_no_sense_is_left_out_and_breaks_nothing():
    assert values([pool(objective={"p99": "soon"}), ensemble()], census.OBJECTIVE) == {}
    assert values([pool(), ensemble()], census.OBJECTIVE) == {}


def test_conditions_that_fail_or_are_unknown_are_zero_and_carry_their_reason():
    objects = [
        with_status(
            pool(), condition("MetricsAvailable", "False", "MetricsStale"), wanted=4, replicas=3, readyReplicas=2
        ),
        with_status(ensemble(), condition("Ready", "True", "Serving"), condition("Loaded", "Unknown", "NoWorkers")),
    ]
    assert values(objects, census.CONDITION) == {
        ("default", "ServingPool", "gpus", "MetricsAvailable", "MetricsStale"): 0,
        ("default", "StudentEnsemble", "sentiment", "Ready", "Serving"): 1,
        ("default", "StudentEnsemble", "sentiment", "Loaded", "NoWorkers"): 0,
    }
    states = {"wanted": 4, "present": 3, "ready": 2}
    assert values(objects, census.REPLICAS) == {("default", "gpus", state): n for state, n in states.items()}


def test_every_field_with_a_decision_is_shown():
    decision = {"action": "Hold", "reason": "MetricsStale", "message": "m", "time": "t"}
    exits = {**decision, "action": "Stay", "reason": "ExitsOff"}
    objects = [with_status(ensemble(), decision=decision, exitsDecision=exits, students={"floor": 1})]
    assert values(objects, census.DECISION) == {
        ("default", "StudentEnsemble", "sentiment", "decision", "Hold", "MetricsStale"): 1,
        ("default", "StudentEnsemble", "sentiment", "exitsDecision", "Stay", "ExitsOff"): 1,
    }


def test_adapters_are_counted_by_ensemble_and_reason_and_never_listed():
    objects = [with_status(adapter(f"t{i}"), condition("Ready", "True", "Serving")) for i in range(5)]
    objects += [with_status(adapter("bad"), condition("Ready", "False", "NotLoaded")), adapter("new")]
    assert values(objects, census.ADAPTERS) == {
        ("default", "sentiment", "Serving"): 5,
        ("default", "sentiment", "NotLoaded"): 1,
        ("default", "sentiment", "Unknown"): 1,
    }


def test_what_is_deleted_is_gone_at_the_next_scrape():
    store = Store([with_status(pool(), replicas=1)])
    families = Census(store)
    assert sum(len(family.samples) for family in families.collect()) == 1
    store.remove(Ref("ServingPool", ref_of(pool()).key))
    assert sum(len(family.samples) for family in families.collect()) == 0


def test_a_replica_that_does_not_lead_says_nothing_of_the_resources():
    assert list(Census(Store([pool(), ensemble()]), speaks=lambda: False).collect()) == []
