"""The schema is complete, and the files that are made from it are current and valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from phalanx_cli.verify import command
from phalanx_contract import limits
from phalanx_operator.api.check import validate, with_defaults
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_pool
from phalanx_operator.api.rules import rules_of
from phalanx_operator.api.schema.crd import KINDS, definition, object_schema
from phalanx_operator.api.schema.text import files
from tests.operator.objects import adapter, ensemble, pool

ROOT = Path(__file__).parents[3]
PARSERS = {"ServingPool": parse_pool, "StudentEnsemble": parse_ensemble, "TenantAdapter": parse_adapter}


def walk(path, node):
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(f"{path}.{name}", child)
    if "items" in node:
        yield from walk(f"{path}[]", node["items"])


NODES = [
    (f"{kind.kind}{path}", node)
    for kind in KINDS
    for part in ("spec", "status")
    for path, node in walk(f".{part}", object_schema(kind.kind)["properties"][part])
]


def test_every_field_is_described_and_bounded():
    for path, node in NODES:
        assert node.get("description"), path
        match node["type"]:
            case "string":
                assert "enum" in node or "maxLength" in node or node.get("format") == "date-time", path
            case "integer" | "number":
                assert {"minimum", "maximum"} <= node.keys(), path
            case "array":
                assert "maxItems" in node, path


def test_defaults_satisfy_their_own_schema_and_rules():
    for obj in (pool(), ensemble(), adapter()):
        assert validate(obj) == []
        assert with_defaults(obj["kind"], with_defaults(obj["kind"], obj)) == with_defaults(obj["kind"], obj)


def test_rules_are_in_the_definition_with_their_field():
    for kind in KINDS:
        text = yaml.safe_dump(definition(kind), width=10_000)
        assert text.count("rule:") == len(rules_of(kind.kind)) > 0
        assert "x-kubernetes-validations" not in yaml.safe_dump(definition(kind, cel=False))


def test_bounds_are_those_of_the_contract():
    students = object_schema("StudentEnsemble")["properties"]["spec"]["properties"]["students"]["properties"]
    assert students["max"]["maximum"] == limits.MAX_STUDENTS


def test_the_pool_can_be_scaled():
    scale = definition(KINDS[0])["spec"]["versions"][0]["subresources"]["scale"]
    assert scale["specReplicasPath"] == ".spec.replicas.count"
    count = object_schema("ServingPool")["properties"]["spec"]["properties"]["replicas"]["properties"]["count"]
    assert "default" in count, "the scale subresource cannot be read where the count is missing"


def test_generated_files_are_current():
    result = CliRunner().invoke(command, ["--root", str(ROOT)])
    assert result.exit_code == 0, result.output


def test_a_stale_file_is_named_and_written_again(tmp_path):
    (tmp_path / "operator/phalanx_operator/api/schema").mkdir(parents=True)
    assert CliRunner().invoke(command, ["--write", "--root", str(tmp_path)]).exit_code == 0
    (tmp_path / "crds/servingpools.yaml").write_text("stale")
    (tmp_path / "crds/left-over.yaml").write_text("stale")
    result = CliRunner().invoke(command, ["--root", str(tmp_path)])
    assert result.exit_code == 1
    assert "crds/servingpools.yaml" in result.output
    assert "crds/left-over.yaml" in result.output
    CliRunner().invoke(command, ["--write", "--root", str(tmp_path)])
    assert CliRunner().invoke(command, ["--root", str(tmp_path)]).exit_code == 0
    assert not (tmp_path / "crds/left-over.yaml").exists()


def test_the_chart_has_the_same_definitions_with_rules_behind_the_version():
    for path, text in files().items():
        if not path.startswith("helm/"):
            continue
        with_rules = re.sub(r"^ *\{\{.*\}\}\n", "", text, flags=re.MULTILINE)
        shown = yaml.safe_load(with_rules)
        assert shown["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert shown == yaml.safe_load(files()[f"crds/cel/{Path(path).name}"])
        guarded = re.findall(
            r"\{\{- if semverCompare .*?\n +x-kubernetes-validations:\n.*?\{\{- end \}\}", text, re.DOTALL
        )
        assert len(guarded) == text.count("x-kubernetes-validations:")


EXAMPLES = [
    pytest.param(obj, id=f"{file.name}:{obj['kind']}/{obj['metadata']['name']}")
    for file in sorted((ROOT / "examples").glob("*.yaml"))
    for obj in yaml.safe_load_all(file.read_text())
    if obj["kind"] in PARSERS
]


@pytest.mark.parametrize("obj", EXAMPLES)
def test_an_example_is_valid(obj):
    assert validate(obj) == []
    PARSERS[obj["kind"]](obj)


@pytest.mark.parametrize("obj", [pool(), ensemble(), adapter()], ids=lambda obj: obj["kind"])
def test_validate_finds_what_parse_refuses(obj):
    obj["spec"]["typo"] = 1
    with pytest.raises(SpecError):
        PARSERS[obj["kind"]](obj)
    assert [path for path, _ in validate(obj)] == ["spec.typo"]


def test_validate_refuses_another_kind():
    assert validate({"kind": "Pod"})[0][0] == "kind"
