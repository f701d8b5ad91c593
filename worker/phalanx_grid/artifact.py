"""Grids as artifact directories: manifest.json, grid.safetensors (ramps included) and tokenizer.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from phalanx_contract.limits import MAX_CLASSES
from phalanx_grid.copies import to_device
from phalanx_grid.errors import ArtifactCorrupt, ArtifactUnsupported
from phalanx_grid.grid import Grid
from phalanx_grid.manifest import GRID_FILE, MANIFEST, TOKENIZER_FILE, Accuracy, EnsembleManifest, FileEntry
from phalanx_grid.precision import cast
from phalanx_grid.readout import prefix_weights
from phalanx_grid.store import verify_artifact, write_artifact
from phalanx_grid.tensors import read_checked
from phalanx_grid.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, eq=False)
class LoadedArtifact:
    """A verified artifact, ready to serve: the grid is in eval mode and needs no gradients."""

    grid: Grid
    tokenizer: Tokenizer
    manifest: EnsembleManifest
    digest: str


def save_artifact(
    path: Path | str,
    grid: Grid,
    tokenizer: Tokenizer,
    *,
    provenance: Mapping[str, Any],
    accuracy: Accuracy | None = None,
) -> str:
    """Write a grid to a directory, atomically, and return the artifact's digest.

    `provenance` is JSON data: where teacher and rows came from, settings, versions.

    Raises:
        ArtifactError: the path holds something else, or a value cannot be kept in a manifest.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in grid.state_dict().items()}

    def write(directory: Path) -> None:
        safetensors.torch.save_file(state, directory / GRID_FILE)
        (directory / TOKENIZER_FILE).write_bytes(tokenizer.source)

    def describe(files: dict[str, FileEntry]) -> EnsembleManifest:
        return EnsembleManifest(
            geometry=grid.geometry,
            labels=grid.labels,
            task=grid.task,
            max_tokens=min(tokenizer.max_tokens, grid.geometry.max_tokens),
            ramps=grid.has_ramps,
            files=files,
            accuracy=accuracy,
            provenance=dict(provenance),
            format="phalanx.grid/v1",
        )

    return write_artifact(path, write, describe)


def load_artifact(
    path: Path | str,
    *,
    digest: str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> LoadedArtifact:
    """Verify an artifact wholly, then map it into memory. On the CPU in its own format nothing is copied.

    `dtype` converts the encoder; readout and ramps stay float32 (see `precision.cast`).

    Raises:
        ArtifactNotFound, DigestMismatch, ArtifactCorrupt: as `verify_artifact`; tensors that do not fit are named.
        ArtifactUnsupported: an adapter, more classes than are served, or ramps without classes.
    """
    manifest, found = verify_artifact(path, digest)
    if not isinstance(manifest, EnsembleManifest):
        raise ArtifactUnsupported("kind adapter is not an ensemble: it belongs in a TenantAdapter", file=MANIFEST)
    grid = _empty_grid(manifest)
    expected = {name: tensor.shape for name, tensor in grid.state_dict().items()}
    grid.load_state_dict(_tensors(Path(path) / GRID_FILE, expected), assign=True)
    grid.requires_grad_(False).eval()
    if dtype is not None:
        cast(grid, dtype)  # before the move: half of the bytes have to travel, and the device never holds both
    to_device(grid, device)
    try:
        tokenizer = Tokenizer.load(Path(path), manifest.max_tokens)
    except ValueError as error:
        raise ArtifactCorrupt(str(error), file=MANIFEST) from error
    if tokenizer.vocab > manifest.geometry.vocab:
        message = f"gives ids up to {tokenizer.vocab - 1}, the grid embeds {manifest.geometry.vocab}"
        raise ArtifactCorrupt(message, file=TOKENIZER_FILE)
    return LoadedArtifact(grid, tokenizer, manifest, found)


def _tensors(file: Path, shapes: Mapping[str, torch.Size]) -> dict[str, torch.Tensor]:
    """The grid's tensors. Earlier versions wrote weights [K], which held for every prefix."""
    tensors = read_checked(file, shapes, older={"weights": shapes["weights"][:1]})
    try:
        return {**tensors, "weights": prefix_weights(tensors["weights"])}
    except ValueError as error:
        raise ArtifactCorrupt(str(error), file=file.name) from error


def _empty_grid(manifest: EnsembleManifest) -> Grid:
    """The grid that a manifest describes, without memory for its weights."""
    geometry = manifest.geometry
    if geometry.classes > MAX_CLASSES:
        raise ArtifactUnsupported(
            f"spec.artifact has {geometry.classes} classes, at most {MAX_CLASSES} are served: train on fewer, or serve "
            "the embeddings and search among them",
            file=MANIFEST,
        )
    if manifest.ramps and not geometry.classes:
        message = (
            "has ramps and no classes, but an embedding has no confidence to leave by: save the grid without ramps"
        )
        raise ArtifactUnsupported(message, file=MANIFEST)
    if manifest.max_tokens > geometry.max_tokens:
        raise ArtifactCorrupt(
            f"max_tokens {manifest.max_tokens} exceeds {geometry.max_tokens} positions", file=MANIFEST
        )
    try:
        with torch.device("meta"):
            grid = Grid(geometry, manifest.labels, ramps=manifest.ramps)
    except ValueError as error:
        raise ArtifactCorrupt(str(error), file=MANIFEST) from error
    if grid.task != manifest.task or len(manifest.labels) != geometry.classes:
        raise ArtifactCorrupt("task, labels and geometry.classes do not agree", file=MANIFEST)
    return grid
