"""Adapters as artifact directories: manifest.json and adapter.safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from phalanx_contract.limits import MAX_CLASSES
from phalanx_grid.adapters import TARGETS, AdapterWeights
from phalanx_grid.errors import ArtifactCorrupt, ArtifactUnsupported, BaseMismatch
from phalanx_grid.labels import checked_labels
from phalanx_grid.manifest import ADAPTER_FILE, MANIFEST, Accuracy, AdapterManifest, FileEntry
from phalanx_grid.store import verify_artifact, write_artifact
from phalanx_grid.tensors import read_checked


@dataclass(frozen=True, slots=True, eq=False)
class LoadedAdapter:
    """A verified adapter."""

    weights: AdapterWeights
    manifest: AdapterManifest
    digest: str


def save_adapter(
    path: Path | str,
    weights: AdapterWeights,
    *,
    base: str,
    provenance: Mapping[str, Any],
    accuracy: Accuracy | None = None,
) -> str:
    """Write an adapter to a directory, atomically, and return its digest.

    `base` is the digest of the ensemble artifact that it was trained on.

    Raises:
        ArtifactError: the path holds something else, or a value cannot be kept in a manifest.
    """
    state = {name: tensor.contiguous() for name, tensor in _state(weights).items()}

    def describe(files: dict[str, FileEntry]) -> AdapterManifest:
        return AdapterManifest(
            format="phalanx.grid/v1",
            base=base,
            students=weights.students,
            rows=len(weights.down),
            hidden=weights.hidden,
            rank=weights.rank,
            alpha=weights.alpha,
            labels=weights.labels,
            files=files,
            accuracy=accuracy,
            provenance=dict(provenance),
        )

    return write_artifact(
        path, lambda directory: safetensors.torch.save_file(state, directory / ADAPTER_FILE), describe
    )


def load_adapter(path: Path | str, *, digest: str | None = None, base: str | None = None) -> LoadedAdapter:
    """Verify an adapter wholly and map it into host memory.

    Raises:
        ArtifactNotFound, DigestMismatch, ArtifactCorrupt: as `verify_artifact`.
        ArtifactUnsupported: an ensemble, more classes than are served, or numbers that are not finite.
        BaseMismatch: it was trained on another ensemble than `base`.
    """
    manifest, found = verify_artifact(path, digest)
    if not isinstance(manifest, AdapterManifest):
        raise ArtifactUnsupported("kind ensemble is not an adapter: it belongs in a StudentEnsemble", file=MANIFEST)
    if base is not None and manifest.base != base:
        raise BaseMismatch(f"the adapter was trained on {manifest.base}, the ensemble is {base}: train it on this one")
    if len(manifest.labels) > MAX_CLASSES:
        message = f"spec.artifact has {len(manifest.labels)} classes, at most {MAX_CLASSES} are served: train on fewer"
        raise ArtifactUnsupported(message, file=MANIFEST)
    try:
        checked_labels(manifest.labels, len(manifest.labels))
    except ValueError as error:
        raise ArtifactCorrupt(str(error), file=MANIFEST) from error
    weights = _weights(manifest, read_checked(Path(path) / ADAPTER_FILE, _shapes(manifest)))
    _check_finite(weights)
    return LoadedAdapter(weights, manifest, found)


def _state(weights: AdapterWeights) -> dict[str, Tensor]:
    return {
        **{f"rows.{row}.down": tensor for row, tensor in enumerate(weights.down)},
        **{f"rows.{row}.up": tensor for row, tensor in enumerate(weights.up)},
        "head.weight": weights.head_weight,
        "head.bias": weights.head_bias,
    }


def _shapes(manifest: AdapterManifest) -> dict[str, torch.Size]:
    K, H, r, C = manifest.students, manifest.hidden, manifest.rank, len(manifest.labels)
    shapes = {"head.weight": (K, C, H), "head.bias": (K, C)}
    rows: dict[str, tuple[int, ...]] = {}
    for row in range(manifest.rows):
        rows[f"rows.{row}.down"], rows[f"rows.{row}.up"] = (K, TARGETS, r, H), (K, TARGETS, H, r)
    return {name: torch.Size(shape) for name, shape in {**shapes, **rows}.items()}


def _weights(manifest: AdapterManifest, tensors: dict[str, Tensor]) -> AdapterWeights:
    rows = range(manifest.rows)
    return AdapterWeights(
        labels=manifest.labels,
        rank=manifest.rank,
        alpha=manifest.alpha,
        down=tuple(tensors[f"rows.{row}.down"].float() for row in rows),
        up=tuple(tensors[f"rows.{row}.up"].float() for row in rows),
        head_weight=tensors["head.weight"].float(),
        head_bias=tensors["head.bias"].float(),
    )


def _check_finite(weights: AdapterWeights) -> None:
    """Refuse what a training that diverged leaves, or a format that is too narrow: it would fail every request."""
    if not bool(torch.isfinite(torch.tensor(weights.alpha / weights.rank, dtype=torch.float32))):
        raise ArtifactUnsupported(f"alpha {weights.alpha:g} is too large: train with a smaller one", file=MANIFEST)
    for name, tensor in _state(weights).items():
        if not bool(torch.isfinite(tensor).all()):
            message = f"the tensor {name} has numbers that are not finite; train it again, or in a wider number format"
            raise ArtifactUnsupported(message, file=ADAPTER_FILE)
