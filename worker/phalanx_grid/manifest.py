"""manifest.json: what an artifact is, and the digest of each of its files.

The manifest's own sha256 is the artifact's digest, so the digest binds everything. It is read strictly: unknown keys,
wrong types and values out of bounds are refused with the path of the field.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from phalanx_contract.errors import FieldError
from phalanx_contract.limits import MAX_LABEL, MAX_STUDENTS
from phalanx_contract.plan import Digest, Hex64
from phalanx_grid.errors import ArtifactCorrupt
from phalanx_grid.geometry import Geometry

MANIFEST: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 4 << 20
MAX_FILE_BYTES: Final = 64 << 30
GRID_FILE: Final = "grid.safetensors"
ADAPTER_FILE: Final = "adapter.safetensors"
TOKENIZER_FILE: Final = "tokenizer.json"

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Label = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL)]
Labels = Annotated[tuple[Label, ...], Meta(max_length=65536)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Immutable, keyword-only, and strict about unknown keys."""


class FileEntry(_Strict, frozen=True, kw_only=True):
    """A file as it was written."""

    sha256: Hex64
    bytes: Annotated[int, Meta(ge=0, le=MAX_FILE_BYTES)]


class Interval(_Strict, frozen=True, kw_only=True):
    """An accuracy with its 95 % interval."""

    accuracy: Share
    low: Share
    high: Share


class StudentAccuracy(_Strict, frozen=True, kw_only=True):
    """Measured with the first `students`; `agreement` is the share of rows they answer as all students do."""

    students: Annotated[int, Meta(ge=1, le=MAX_STUDENTS)]
    accuracy: Share
    low: Share
    high: Share
    agreement: Share


class Accuracy(_Strict, frozen=True, kw_only=True):
    """Measured on rows held out from training, for every number of students; 95 % intervals."""

    by_k: Annotated[tuple[StudentAccuracy, ...], Meta(max_length=MAX_STUDENTS)]
    rows_evaluated: Annotated[int, Meta(ge=0)]
    teacher: Interval | None = None
    dataset: Annotated[str, Meta(max_length=1024)] = ""


class EnsembleManifest(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="ensemble"):
    """A grid with its tokenizer."""

    format: Literal["phalanx.grid/v1"]
    geometry: Geometry
    labels: Labels
    task: Literal["classification", "embedding"]
    max_tokens: Annotated[int, Meta(ge=1, le=65536)]
    ramps: bool
    files: dict[str, FileEntry]
    accuracy: Accuracy | None = None
    provenance: dict[str, Any] = {}


class AdapterManifest(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="adapter"):
    """A tenant's adapter; `base` is the digest of the ensemble that it was trained on."""

    format: Literal["phalanx.grid/v1"]
    base: Digest
    students: Annotated[int, Meta(ge=1, le=MAX_STUDENTS)]
    rows: Annotated[int, Meta(ge=1, le=48)]
    hidden: Annotated[int, Meta(ge=1, le=8192)]
    rank: Annotated[int, Meta(ge=1, le=512)]
    alpha: Annotated[float, Meta(gt=0)]
    labels: Labels
    files: dict[str, FileEntry]
    accuracy: Accuracy | None = None
    provenance: dict[str, Any] = {}


Manifest = EnsembleManifest | AdapterManifest

FILES: Final[dict[type, frozenset[str]]] = {
    EnsembleManifest: frozenset({GRID_FILE, TOKENIZER_FILE}),
    AdapterManifest: frozenset({ADAPTER_FILE}),
}
"""Exactly these files make an artifact of each kind; no other name is ever opened."""


def digest_of(manifest: bytes) -> str:
    """The digest of an artifact, from the bytes of its manifest."""
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest strictly.

    Raises:
        ArtifactCorrupt: not a manifest, or it names other files than its kind has.
    """
    try:
        manifest = msgspec.json.decode(data, type=EnsembleManifest | AdapterManifest)
    except msgspec.DecodeError as error:
        raise ArtifactCorrupt(str(FieldError.of(error)), file=MANIFEST) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ArtifactCorrupt(str(error), file=MANIFEST) from error
    expected = FILES[type(manifest)]
    for name in sorted(manifest.files.keys() ^ expected):
        problem = "is missing from files" if name in expected else "does not belong to an artifact"
        raise ArtifactCorrupt(f"{name[:200]!r} {problem}", file=MANIFEST)
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes to write: indented for people, and readable by `parse_manifest`.

    Raises:
        ArtifactCorrupt: it holds a value that a manifest may not have (such as NaN).
    """
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    if len(data) > MAX_MANIFEST_BYTES:
        raise ArtifactCorrupt(f"larger than {MAX_MANIFEST_BYTES} bytes", file=MANIFEST)
    parse_manifest(data)
    return data
