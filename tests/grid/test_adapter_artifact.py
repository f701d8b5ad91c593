"""Adapters on disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from phalanx_contract.worker import LoadReason
from phalanx_grid import (
    ArtifactCorrupt,
    ArtifactUnsupported,
    BaseMismatch,
    load_adapter,
    load_artifact,
    save_adapter,
    save_artifact,
)
from tests.grid.builders import geometry, make_adapter, make_grid, make_tokenizer

BASE = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_adapter(tmp_path / "acme", make_adapter(geometry(), seed=3), base=BASE, provenance={"tenant": "acme"})
    return tmp_path / "acme"


def test_a_saved_adapter_comes_back(tmp_path: Path) -> None:
    weights = make_adapter(geometry(), seed=3)
    digest = save_adapter(tmp_path / "acme", weights, base=BASE, provenance={"tenant": "acme"})
    loaded = load_adapter(tmp_path / "acme", digest=digest, base=BASE)
    assert (loaded.digest, loaded.weights.labels, loaded.weights.rank) == (digest, weights.labels, 2)
    assert loaded.manifest.provenance == {"tenant": "acme"}
    for name in ("down", "up"):
        ours, theirs = getattr(loaded.weights, name), getattr(weights, name)
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(loaded.weights.head_weight, weights.head_weight)
    assert torch.equal(loaded.weights.head_bias, weights.head_bias)
    assert loaded.weights.nbytes == weights.nbytes > 0


def test_an_adapter_of_another_ensemble_is_refused(saved: Path) -> None:
    with pytest.raises(BaseMismatch, match=f"trained on {BASE}, the ensemble is {OTHER}") as caught:
        load_adapter(saved, base=OTHER)
    assert caught.value.reason is LoadReason.BASE_MISMATCH


def test_an_ensemble_is_no_adapter_and_an_adapter_no_ensemble(saved: Path, tmp_path: Path) -> None:
    save_artifact(tmp_path / "grid", make_grid(), make_tokenizer(), provenance={})
    with pytest.raises(ArtifactUnsupported, match="belongs in a StudentEnsemble"):
        load_adapter(tmp_path / "grid")
    with pytest.raises(ArtifactUnsupported, match="belongs in a TenantAdapter"):
        load_artifact(saved)


def test_a_changed_byte_is_refused_by_the_name_of_the_file(saved: Path) -> None:
    file = saved / "adapter.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactCorrupt, match=r"^adapter\.safetensors: differs from the digest"):
        load_adapter(saved)


def test_a_rank_that_the_tensors_do_not_have_is_refused_by_their_name(saved: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | {"rank": 3}))
    with pytest.raises(ArtifactCorrupt, match=r"the tensor rows\.0\.(down|up) has shape"):
        load_adapter(saved)


def test_more_classes_than_are_served_are_refused(tmp_path: Path) -> None:
    save_adapter(tmp_path / "x", make_adapter(geometry(), seed=0, classes=600), base=BASE, provenance={})
    with pytest.raises(ArtifactUnsupported, match=r"spec\.artifact has 600 classes, at most 512"):
        load_adapter(tmp_path / "x")


def test_a_base_that_is_no_digest_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ArtifactCorrupt, match=r"manifest\.json: base:"):
        save_adapter(tmp_path / "x", make_adapter(geometry(), seed=0), base="latest", provenance={})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["rows.1.up", "head.bias"])
def test_numbers_that_are_not_finite_are_refused_by_the_name_of_their_tensor(
    tmp_path: Path, name: str, value: float
) -> None:
    weights = make_adapter(geometry(), seed=0)
    tensor = weights.up[1] if name == "rows.1.up" else weights.head_bias
    tensor.flatten()[-1:].fill_(value)
    save_adapter(tmp_path / "x", weights, base=BASE, provenance={})
    with pytest.raises(ArtifactUnsupported, match=rf"adapter\.safetensors: the tensor {name} has numbers that are not"):
        load_adapter(tmp_path / "x")


def test_a_scale_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    weights = dataclasses.replace(make_adapter(geometry(), seed=0), alpha=1e300)
    save_adapter(tmp_path / "x", weights, base=BASE, provenance={})
    with pytest.raises(ArtifactUnsupported, match=r"manifest\.json: alpha 1e\+300 is too large"):
        load_adapter(tmp_path / "x")
