"""YAML files as an API server would take them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from phalanx_operator.local.files import FilesError, load

DIGEST = "sha256:" + "a" * 64
POOL = "apiVersion: phalanx.dev/v1alpha1\nkind: ServingPool\nmetadata: {name: gpus}\nspec: {}\n"
ENSEMBLE = (
    "apiVersion: phalanx.dev/v1alpha1\nkind: StudentEnsemble\nmetadata: {name: sentiment}\n"
    f"spec: {{pool: gpus, artifact: {{uri: 'file://./models/a b', digest: '{DIGEST}'}}}}\n"
)
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {apiKey: hunter2}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: roots}\ndata: {ca.crt: PEM}\n"
OTHER = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ml}\n"


def write(folder: Path, *documents: str) -> list[Path]:
    path = folder / "all.yaml"
    path.write_text("---\n".join(documents))
    return [path]


def test_documents_are_placed_defaulted_and_resolved(tmp_path):
    loaded = load(write(tmp_path, POOL, ENSEMBLE, SECRET, CONFIG_MAP, OTHER, ""))
    pool, ensemble, secret, config_map = loaded.objects
    assert pool["metadata"]["namespace"] == "default"
    assert pool["spec"]["objective"]["p99"] == "50ms"
    assert ensemble["spec"]["artifact"]["uri"] == (tmp_path.resolve() / "models" / "a b").as_uri()
    assert base64.b64decode(secret["data"]["apiKey"]) == b"hunter2"
    assert (config_map["metadata"]["namespace"], config_map["data"]) == ("default", {"ca.crt": "PEM"})
    assert loaded.skipped == [f"{tmp_path / 'all.yaml'}: Namespace ml"]


def test_every_fault_is_named_with_file_resource_and_field(tmp_path):
    bad = ENSEMBLE.replace("pool: gpus", "pool: gpus, students: {min: 0}")
    typo = POOL.replace("spec: {}", "spec: {replica: {min: 1}}")
    with pytest.raises(FilesError) as caught:
        load(write(tmp_path, typo, bad))
    first, second = caught.value.faults
    assert first.startswith(f"{tmp_path / 'all.yaml'}: ServingPool gpus: spec.replica: is not a field")
    assert "StudentEnsemble sentiment: spec.students.min: 0 is below 1" in second


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("a: [", "while parsing"),
        ("- a list\n", "has no kind"),
        ("kind: ServingPool\nmetadata: {name: a}\napiVersion: phalanx.dev/v2\n", "phalanx.dev/v2 ServingPool is none"),
        ("kind: Pool\nmetadata: {name: a}\napiVersion: phalanx.dev/v1alpha1\n", "phalanx.dev/v1alpha1 Pool is none"),
        ("kind: ServingPool\nmetadata: a\napiVersion: phalanx.dev/v1alpha1\nspec: {}\n", "metadata"),
        ("kind: ServingPool\napiVersion: phalanx.dev/v1alpha1\nspec: {}\n", "metadata"),
        ("kind: Secret\napiVersion: v1\nmetadata: {}\n", "metadata.name"),
    ],
)
def test_what_is_no_resource_is_one_line(tmp_path, document, said):
    with pytest.raises(FilesError, match=said) as caught:
        load(write(tmp_path, document))
    assert all("\n" not in fault for fault in caught.value.faults)


def test_files_that_are_being_written_take_nothing_away(tmp_path):
    with pytest.raises(FilesError, match="no resource is there"):
        load(write(tmp_path, "# nothing"))
    (tmp_path / "empty.yaml").touch()
    assert load([tmp_path / "empty.yaml", *write(tmp_path, POOL)]).objects


def test_a_resource_that_is_there_twice_and_a_file_that_is_missing_are_named(tmp_path):
    with pytest.raises(FilesError, match="ServingPool default/gpus is there 2 times"):
        load(write(tmp_path, POOL, POOL))
    with pytest.raises(FilesError, match=r"none\.yaml"):
        load([tmp_path / "none.yaml"])
