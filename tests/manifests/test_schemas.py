"""Every manifest fits the schemas of current Kubernetes releases, unknown fields refused."""

from __future__ import annotations

import pytest

from tests.chart.rendering import VALUES, render
from tests.manifests.schemas import VERSIONS, faults
from tests.manifests.sources import FILES, POOLS, built, documents

RECENT = (1, 29)
"""The release from which on Jobs get a podFailurePolicy, and budgets an unhealthyPodEvictionPolicy. Schemas of earlier
ones do not take the first without conditions, and the second not at all."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES)
def test_what_the_chart_renders(values, version):
    objects = render(*VALUES[values], "--kube-version", version)
    assert [fault for item in objects for fault in faults(item, version=version)] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_what_the_operator_builds(pool, version):
    objects = built(pool, recent=tuple(map(int, version.split("."))) >= RECENT)
    assert [fault for item in objects for fault in faults(item, version=version)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_lies_in_crds_and_examples(version):
    found = list(documents())
    assert len({name for name, _ in found}) == len(FILES)
    assert [f"{name}: {fault}" for name, item in found for fault in faults(item, version=version)] == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "says"),
    [
        ("Deployment", ("spec", "typo"), 1, "typo"),
        ("Deployment", ("spec", "replicas"), "one", "spec.replicas"),
        ("PodDisruptionBudget", ("spec", "unhealthyPodEvictionPolicy"), 1, "unhealthyPodEvictionPolicy"),
        ("PodDisruptionBudget", ("apiVersion",), "policy/v1beta1", "not served"),
        ("Service", ("spec", "ports"), {}, "spec.ports"),
    ],
)
def test_a_wrong_manifest_is_found(kind, path, value, says):
    manifest = next(item for item in built("full") if item["kind"] == kind)
    node = manifest
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    (fault,) = faults(manifest, version=VERSIONS[-1])
    assert says in fault
