"""Artifacts: what is saved comes back; what is not exactly that is refused by name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_contract.worker import LoadReason
from phalanx_grid import (
    Accuracy,
    ArtifactCorrupt,
    ArtifactError,
    ArtifactNotFound,
    ArtifactUnsupported,
    DigestMismatch,
    Geometry,
    Interval,
    StudentAccuracy,
    load_artifact,
    read_manifest,
    save_artifact,
    verify_artifact,
)
from phalanx_grid.manifest import FileEntry, digest_of
from phalanx_grid.store import write_artifact
from tests.grid.builders import batch_of, close, geometries, geometry, make_grid, make_tokenizer

ACCURACY = Accuracy(
    by_k=(StudentAccuracy(students=1, accuracy=0.8, low=0.7, high=0.9, agreement=0.95),),
    rows_evaluated=100,
    teacher=Interval(accuracy=0.9, low=0.85, high=0.95),
    dataset="trec",
)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that tests copy before they harm it."""
    path = tmp_path_factory.mktemp("artifact") / "grid"
    save_artifact(path, make_grid(), make_tokenizer(), provenance={"seed": 1}, accuracy=ACCURACY)
    return path


@pytest.fixture
def artifact(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "grid"))


def rewrite(artifact: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as JSON."""
    file = artifact / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def reseal(artifact: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed."""
    data = (artifact / name).read_bytes()
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    rewrite(artifact, lambda manifest: manifest["files"].update({name: entry}))


@settings(deadline=None, max_examples=25)
@given(shape=geometries(), ramps=st.booleans())
def test_a_saved_grid_comes_back_and_answers_the_same(
    shape: Geometry, ramps: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    grid = make_grid(shape, ramps=ramps and bool(shape.classes))
    path = tmp_path_factory.mktemp("round") / "grid"
    digest = save_artifact(path, grid, make_tokenizer(20), provenance={})
    loaded = load_artifact(path, digest=digest)
    assert (loaded.digest, loaded.grid.geometry, loaded.grid.labels) == (digest, shape, grid.labels)
    assert loaded.tokenizer.max_tokens == 20
    batch = batch_of(grid, [[5, 6, 7], [8]])
    mine, theirs = grid.state_dict(), loaded.grid.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert close(loaded.grid(batch).prefix_logits, grid(batch).prefix_logits)
    assert [type(step) for step in loaded.grid.steps(batch, students=1)] == [
        type(step) for step in grid.steps(batch, students=1)
    ]


def test_accuracy_and_provenance_come_back(saved: Path) -> None:
    loaded = load_artifact(saved)
    assert loaded.manifest.accuracy == ACCURACY
    assert loaded.manifest.provenance == {"seed": 1}
    assert not loaded.grid.training
    assert not any(parameter.requires_grad for parameter in loaded.grid.parameters())


def test_the_digest_is_that_of_the_manifest(saved: Path) -> None:
    manifest, digest = verify_artifact(saved)
    assert digest == digest_of((saved / "manifest.json").read_bytes())
    assert read_manifest(saved, digest) == (manifest, digest)


def test_another_number_format_can_be_asked_for(saved: Path) -> None:
    grid = load_artifact(saved, dtype=torch.bfloat16).grid
    assert grid.embeddings.word.dtype == torch.bfloat16
    assert grid.weights.dtype == grid.readout.head.weight.dtype == torch.float32


def test_the_same_grid_has_the_same_digest(saved: Path, tmp_path: Path) -> None:
    digest = save_artifact(tmp_path / "x", make_grid(), make_tokenizer(), provenance={"seed": 1}, accuracy=ACCURACY)
    assert digest == verify_artifact(saved)[1]


def test_saving_again_replaces_the_artifact_and_leaves_nothing_beside_it(artifact: Path) -> None:
    digest = save_artifact(artifact, make_grid(seed=1), make_tokenizer(), provenance={})
    assert load_artifact(artifact, digest=digest).digest == digest
    assert [path.name for path in artifact.parent.iterdir()] == ["grid"]


def test_a_mapped_grid_survives_its_replacement(artifact: Path) -> None:
    loaded = load_artifact(artifact)
    before = loaded.grid.embeddings.word.clone()
    save_artifact(artifact, make_grid(seed=1), make_tokenizer(), provenance={})
    assert torch.equal(loaded.grid.embeddings.word, before)


def test_a_failed_save_leaves_the_old_artifact(artifact: Path) -> None:
    before = verify_artifact(artifact)

    def fail(directory: Path) -> None:
        (directory / "grid.safetensors").write_bytes(b"half")
        raise OSError("disk full")

    def describe(files: dict[str, FileEntry]) -> Any:
        raise AssertionError("never reached")

    with pytest.raises(OSError, match="disk full"):
        write_artifact(artifact, fail, describe)
    assert verify_artifact(artifact) == before
    assert [path.name for path in artifact.parent.iterdir()] == ["grid"]


def test_saving_over_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="is no artifact; choose another place"):
        save_artifact(tmp_path, make_grid(), make_tokenizer(), provenance={})
    assert (tmp_path / "holiday.jpg").exists()


def test_a_value_that_json_cannot_carry_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    accuracy = Accuracy(
        by_k=(StudentAccuracy(students=1, accuracy=float("nan"), low=0, high=1, agreement=1),), rows_evaluated=1
    )
    with pytest.raises(ArtifactCorrupt, match=r"accuracy\.by_k\[0\]\.accuracy"):
        save_artifact(tmp_path / "x", make_grid(), make_tokenizer(), provenance={}, accuracy=accuracy)
    assert not (tmp_path / "x").exists()


FILES = ["grid.safetensors", "tokenizer.json"]


@settings(deadline=None, max_examples=40)
@given(file=st.sampled_from(FILES), data=st.data())
def test_any_changed_byte_is_refused_by_the_name_of_its_file(
    file: str, data: st.DataObject, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    artifact = Path(shutil.copytree(saved, tmp_path_factory.mktemp("tamper") / "grid"))
    content = bytearray((artifact / file).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (artifact / file).write_bytes(content)
    with pytest.raises(ArtifactCorrupt, match="differs from the digest in the manifest") as caught:
        load_artifact(artifact)
    assert caught.value.file == file


@settings(deadline=None, max_examples=40)
@given(file=st.sampled_from(FILES), data=st.data())
def test_any_truncation_is_refused_by_the_name_of_its_file(
    file: str, data: st.DataObject, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    artifact = Path(shutil.copytree(saved, tmp_path_factory.mktemp("cut") / "grid"))
    content = (artifact / file).read_bytes()
    (artifact / file).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ArtifactCorrupt, match="the manifest says") as caught:
        load_artifact(artifact)
    assert caught.value.file == file


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_changed_byte_of_the_manifest_breaks_the_digest(
    data: st.DataObject, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    artifact = Path(shutil.copytree(saved, tmp_path_factory.mktemp("manifest") / "grid"))
    digest = verify_artifact(artifact)[1]
    content = bytearray((artifact / "manifest.json").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (artifact / "manifest.json").write_bytes(content)
    with pytest.raises(DigestMismatch, match=r"^manifest\.json: the artifact has digest sha256:"):
        load_artifact(artifact, digest=digest)
    with contextlib.suppress(ArtifactError):  # unpinned, it is refused or read, and never fails otherwise
        load_artifact(artifact)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_refused_by_name(file: str, artifact: Path) -> None:
    (artifact / file).unlink()
    with pytest.raises(ArtifactCorrupt, match=f"^{file}: missing") as caught:
        verify_artifact(artifact)
    assert (caught.value.reason, caught.value.field) == (LoadReason.ARTIFACT_CORRUPT, "spec.artifact.uri")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "extra.bin", "", "a/b", "manifest.json", "x" * 1000])
def test_a_manifest_that_names_another_file_is_refused_by_that_name(name: str, artifact: Path) -> None:
    entry = {"sha256": "0" * 64, "bytes": 1}
    rewrite(artifact, lambda manifest: manifest["files"].update({name: entry}))
    with pytest.raises(ArtifactCorrupt, match="does not belong to an artifact") as caught:
        verify_artifact(artifact)
    assert name[:200] in str(caught.value)


def test_a_manifest_that_leaves_a_file_out_is_refused_by_its_name(artifact: Path) -> None:
    rewrite(artifact, lambda manifest: manifest["files"].pop("tokenizer.json"))
    with pytest.raises(ArtifactCorrupt, match=r"'tokenizer\.json' is missing from files"):
        verify_artifact(artifact)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="phalanx.grid/v2"), "format: "),
        (lambda m: m.update(kind="other"), "kind: "),
        (lambda m: m.update(colour="red"), "colour"),
        (lambda m: m["geometry"].update(students=99), r"geometry\.students"),
        (lambda m: m["geometry"].update(depth=1), "depth"),
        (lambda m: m["geometry"].update(hidden=17), "geometry"),
        (lambda m: m.update(labels=["a", "b"]), "2 labels for 4 classes"),
        (lambda m: m.update(labels=[]), "do not agree"),
        (lambda m: m.update(task="embedding"), "do not agree"),
        (lambda m: m.update(max_tokens=2), "max_tokens 2 leaves no room"),
        (lambda m: m.update(max_tokens=29), "max_tokens 29 exceeds 28 positions"),
        (lambda m: m["files"]["tokenizer.json"].update(sha256="xyz"), "sha256"),
        (lambda m: m["accuracy"].update(rows_evaluated=-1), r"accuracy\.rows_evaluated"),
    ],
)
def test_a_manifest_is_read_strictly(change: Callable[[dict[str, Any]], None], message: str, artifact: Path) -> None:
    rewrite(artifact, change)
    with pytest.raises(ArtifactCorrupt, match=rf"manifest\.json: .*{message}"):
        load_artifact(artifact)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(content: bytes, artifact: Path) -> None:
    (artifact / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactCorrupt, match=r"^manifest\.json: "):
        verify_artifact(artifact)


def test_an_artifact_with_one_weight_for_each_student_still_loads(artifact: Path) -> None:
    file = artifact / "grid.safetensors"
    tensors = safetensors.torch.load_file(file)
    safetensors.torch.save_file({**tensors, "weights": torch.tensor([1.0, 0.5, 0.25])}, file)
    reseal(artifact, file.name)
    weights = load_artifact(artifact).grid.weights
    assert weights.tolist() == [[1.0, 0.0, 0.0], [1.0, 0.5, 0.0], [1.0, 0.5, 0.25]]


def test_a_student_that_counts_before_its_turn_is_refused(artifact: Path) -> None:
    file = artifact / "grid.safetensors"
    tensors = safetensors.torch.load_file(file)
    safetensors.torch.save_file({**tensors, "weights": torch.ones(3, 3)}, file)
    reseal(artifact, file.name)
    with pytest.raises(ArtifactCorrupt, match=r"grid\.safetensors: weights above the diagonal are not zero"):
        load_artifact(artifact)


def test_a_huge_manifest_is_refused_unread(artifact: Path) -> None:
    (artifact / "manifest.json").write_bytes(b" " * (5 << 20))
    with pytest.raises(ArtifactCorrupt, match="larger than"):
        verify_artifact(artifact)


@pytest.mark.parametrize("name", ["rows.0.up.weight", "weights", "ramps.heads.0.bias"])
def test_a_tensor_that_does_not_fit_the_geometry_is_named(name: str, artifact: Path) -> None:
    file = artifact / "grid.safetensors"
    tensors = safetensors.torch.load_file(file)
    for tensor, message in ((torch.zeros(2, 2), "has shape"), (None, "is missing")):
        changed = {**tensors, name: tensor} if tensor is not None else {n: t for n, t in tensors.items() if n != name}
        safetensors.torch.save_file(changed, file)
        reseal(artifact, file.name)
        with pytest.raises(ArtifactCorrupt, match=rf"grid\.safetensors: the tensor {name} {message}"):
            load_artifact(artifact)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [({"extra": torch.zeros(1)}, "the tensor extra does not belong"), ({"weights": torch.ones(3).long()}, "int64")],
)
def test_extra_tensors_and_other_number_types_are_named(
    tensors: dict[str, torch.Tensor], message: str, artifact: Path
) -> None:
    file = artifact / "grid.safetensors"
    safetensors.torch.save_file({**safetensors.torch.load_file(file), **tensors}, file)
    reseal(artifact, file.name)
    with pytest.raises(ArtifactCorrupt, match=message):
        load_artifact(artifact)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0notjson!"])
def test_a_file_that_is_no_safetensors_is_refused_by_name(content: bytes, artifact: Path) -> None:
    (artifact / "grid.safetensors").write_bytes(content)
    reseal(artifact, "grid.safetensors")
    with pytest.raises(ArtifactCorrupt, match=r"^grid\.safetensors: not readable as safetensors"):
        load_artifact(artifact)


def test_a_tokenizer_beyond_the_vocabulary_is_refused(tmp_path: Path) -> None:
    save_artifact(tmp_path / "x", make_grid(geometry(vocab=10)), make_tokenizer(), provenance={})
    with pytest.raises(ArtifactCorrupt, match=r"tokenizer\.json: gives ids up to 13, the grid embeds 10"):
        load_artifact(tmp_path / "x")


def test_nothing_at_the_path_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFound, match="no artifact at") as caught:
        load_artifact(tmp_path / "nowhere")
    assert caught.value.reason is LoadReason.ARTIFACT_NOT_FOUND


def test_more_classes_than_are_served_name_the_field_and_what_to_do(tmp_path: Path) -> None:
    save_artifact(tmp_path / "x", make_grid(geometry(classes=1000)), make_tokenizer(), provenance={})
    with pytest.raises(ArtifactUnsupported, match=r"spec\.artifact has 1000 classes, at most 512.*train on fewer") as e:
        load_artifact(tmp_path / "x")
    assert (e.value.reason, e.value.field) == (LoadReason.ARTIFACT_UNSUPPORTED, "spec.artifact")


def test_a_wrong_digest_names_its_field(saved: Path) -> None:
    with pytest.raises(DigestMismatch) as caught:
        load_artifact(saved, digest="sha256:" + "0" * 64)
    assert (caught.value.reason, caught.value.field) == (LoadReason.DIGEST_MISMATCH, "spec.artifact.digest")


def test_ramps_of_a_grid_without_classes_are_refused(tmp_path: Path) -> None:
    save_artifact(tmp_path / "x", make_grid(geometry(classes=0), ramps=True), make_tokenizer(), provenance={})
    with pytest.raises(ArtifactUnsupported, match=r"manifest\.json: has ramps and no classes"):
        load_artifact(tmp_path / "x")
