"""The scale benchmark: its resources are valid and as many as it says, and its figures say what they are."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.scale.command import figures
from bench.scale.measure import Measured
from bench.scale.objects import Sizes, adapters, ensembles, pool_name, pools
from bench.scale.table import markdown
from phalanx_operator.api.check import validate

SMALL = Sizes(pools=4, ensembles=10, adapters=50, workers=2)


def test_every_resource_is_valid_and_there_are_as_many_as_asked_for():
    objects = [*pools(SMALL), *ensembles(SMALL), *adapters(SMALL)]
    assert Counter(obj["kind"] for obj in objects) == {"ServingPool": 4, "StudentEnsemble": 10, "TenantAdapter": 50}
    assert [validate(obj) for obj in objects] == [[]] * len(objects)
    names = {obj["metadata"]["name"] for obj in ensembles(SMALL)}
    assert {obj["spec"]["ensemble"] for obj in adapters(SMALL)} == names


def test_only_models_of_pools_with_a_worker_are_changed():
    pool_of = {obj["metadata"]["name"]: obj["spec"]["pool"] for obj in ensembles(SMALL)}
    assert {pool_of[name] for name in SMALL.changed} == {pool_name(0), pool_name(1)}
    chosen = {obj["metadata"]["name"] for obj in pools(SMALL) if obj["spec"]["worker"]["nodeSelector"]["gpu"] == "free"}
    assert chosen == {pool_name(0), pool_name(1)}


def test_the_figures_are_of_one_minute_and_of_all_changes():
    changes = [0.1 * index for index in range(1, 11)]
    measured = Measured(
        SMALL, changes_s=changes, idle_s=30.0, idle_writes=1, idle_share=0.02, most_bytes=200_000_000, restart_s=4.0
    )
    found = figures(measured)
    assert found["idle:writes"].value == 2.0
    assert (found["change:p99"].value, found["change:p99"].low) == pytest.approx((1.0, 0.55))
    table = markdown({name: {"value": each.value, "low": each.low, "high": each.high} for name, each in found.items()})
    assert "| idle: writes to the API server | 2.0 a minute |" in table
    assert "| 4 s, 0 writes until all is quiet, 0 MB at most |" in table
    assert "1.00 s (median 0.55, longest 1.00)" in table
