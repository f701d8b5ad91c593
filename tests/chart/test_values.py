"""values.yaml, its schema and its comments say the same."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.chart.rendering import CHART, FULL_VALUES, helm

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def leaves(values: dict, schema: dict, path: str = "") -> Iterator[str]:
    """Paths of values that have no fixed keys of their own."""
    for key, value in values.items():
        inner = schema["properties"][key]
        if isinstance(value, dict) and inner.get("properties") and key != "resources":
            yield from leaves(value, inner, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def fixed_objects(schema: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    if "properties" in schema:
        yield path or "(root)", schema
        for key, inner in schema["properties"].items():
            yield from fixed_objects(inner, f"{path}.{key}".strip("."))


def test_values_and_schema_have_the_same_keys():
    for path, schema in fixed_objects(SCHEMA):
        values = VALUES
        for key in path.split(".") if path != "(root)" else []:
            values = values[key]
        expected = set(schema["properties"]) - {"global", "claims"}
        assert set(values) == expected, path


def test_every_value_is_described_in_the_schema_and_above_its_line():
    lines = (CHART / "values.yaml").read_text().splitlines()
    documented = {
        match[1]
        for before, line in itertools.pairwise(lines)
        if before.strip().startswith("#") and (match := re.match(r"\s*([A-Za-z]+):", line))
    }
    for path in leaves(VALUES, SCHEMA):
        assert path.rsplit(".", 1)[-1] in documented, path
    for path, schema in fixed_objects(SCHEMA):
        assert all(inner.get("description") for inner in schema["properties"].values()), path


def test_no_object_of_the_schema_lets_unknown_keys_through():
    for path, schema in fixed_objects(SCHEMA):
        assert schema["additionalProperties"] is False, path


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("replicas=0", "/replicas"),
        ("replica=2", "replica"),
        ("image.repo=x", "repo"),
        ("image.digest=latest", "/image/digest"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("logLevel=loud", "/logLevel"),
        ("logFormat=xml", "/logFormat"),
        ("watchNamespaces[0]=Not_A_Namespace", "/watchNamespaces/0"),
        ("crds.install=maybe", "/crds/install"),
        ("metrics.serviceMonitor.interval=often", "/metrics/serviceMonitor/interval"),
        ("extraEnv[0].nam=A", "/extraEnv/0"),
        ("networkPolicy.to[0]=A", "to"),
        ("networkPolicy.from=everybody", "/networkPolicy/from"),
        ("requireImageDigest=perhaps", "/requireImageDigest"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(setting, named):
    done = helm("template", "phalanx", CHART, "--set", setting)
    assert done.returncode != 0
    assert named in done.stderr


def test_a_parent_chart_may_pass_global_values():
    assert helm("lint", "--strict", CHART, "--values", FULL_VALUES, "--set", "global.region=x").returncode == 0
