"""Every resource that the previous release took is taken by this one, and keeps all that it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phalanx_operator.api.schema.crd import KINDS
from tests.binaries import REPOSITORY
from tests.chart.rendering import CHART, of_kind, render
from tests.releases import previous
from tests.upgrades.narrowing import narrowed

NAMES = [kind.kind for kind in KINDS]
ABOUT_NEW_FIELDS = (
    "ServingPool.spec.metrics: new rule \"!has(self.prometheus) || self.prometheus.url.startsWith('https://') || "
    '!(has(self.prometheus.authorization) || has(self.prometheus.tlsConfig))"',
    "ServingPool.spec.metrics: new rule '!has(self.prometheus) || !has(self.prometheus.tlsConfig) || "
    "!has(self.prometheus.tlsConfig.ca) || has(self.prometheus.tlsConfig.ca.secret) != "
    "has(self.prometheus.tlsConfig.ca.configMap)'",
    "StudentEnsemble: new rule 'has(self.spec.artifact) != has(self.spec.distill)'",
    'StudentEnsemble.spec: new rule "!has(self.distill) || !has(self.distill.work) || '
    "!self.distill.output.startsWith('pvc://')\"",
)
"""New rules that hold of every resource without the fields that are new. Empty it with the next release's fixture."""


def definitions(chart: Path) -> dict[str, dict[str, Any]]:
    """The chart's CustomResourceDefinitions by kind, as a cluster with CEL gets them."""
    found = of_kind("CustomResourceDefinition", render("--kube-version", "1.31.0", chart=chart))
    return {item["spec"]["names"]["kind"]: item["spec"] for item in found}


@pytest.fixture(scope="module")
def old() -> dict[str, dict[str, Any]]:
    return definitions(previous().chart)


@pytest.fixture(scope="module")
def new() -> dict[str, dict[str, Any]]:
    return definitions(CHART)


def schema(definition: dict[str, Any], version: str) -> dict[str, Any]:
    (found,) = (each for each in definition["versions"] if each["name"] == version)
    return found["schema"]["openAPIV3Schema"]


def test_the_releases_differ_so_that_there_is_something_to_compare(old, new):
    assert old.keys() == new.keys() == set(NAMES)
    assert any(old[name] != new[name] for name in NAMES)


@pytest.mark.parametrize("kind", NAMES)
def test_no_version_goes_and_names_stay(old, new, kind):
    for key in ("group", "scope", "names"):
        assert new[kind][key] == old[kind][key]
    for version in old[kind]["versions"]:
        (now,) = (each for each in new[kind]["versions"] if each["name"] == version["name"])
        assert now["served"], f"{version['name']} is served no more: resources that are stored in it would be lost"


@pytest.mark.parametrize("kind", NAMES)
def test_what_was_valid_is_valid_and_loses_nothing(old, new, kind):
    for version in old[kind]["versions"]:
        name = version["name"]
        found = [*narrowed(schema(old[kind], name), schema(new[kind], name), kind)]
        assert [said for said in found if said not in ABOUT_NEW_FIELDS] == []


@pytest.mark.parametrize("kind", NAMES)
def test_the_scale_and_status_subresources_stay_where_they_were(old, new, kind):
    def subresources(definition):
        return {each["name"]: each["subresources"] for each in definition["versions"]}

    assert subresources(new[kind]).items() >= subresources(old[kind]).items()


def test_the_current_definitions_would_be_caught_if_a_field_went(old, new):
    was = schema(new["ServingPool"], "v1alpha1")
    spec = dict(was["properties"]["spec"]["properties"])
    del spec["objective"]
    now = was | {"properties": was["properties"] | {"spec": was["properties"]["spec"] | {"properties": spec}}}
    assert [*narrowed(was, now, "ServingPool")] == [
        "ServingPool.spec.objective: the field is gone, and what it held is dropped"
    ]


def test_the_release_is_newer_than_the_previous_one():
    chart = (REPOSITORY / "helm/phalanx-operator/Chart.yaml").read_text()
    version = next(line for line in chart.splitlines() if line.startswith("version: ")).removeprefix("version: ")
    assert tuple(map(int, version.split("."))) > tuple(map(int, previous().version.split(".")))
