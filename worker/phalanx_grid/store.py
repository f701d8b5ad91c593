"""Artifact directories on disk: written whole or not at all, and verified before they are read."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from phalanx_grid.errors import ArtifactCorrupt, ArtifactError, ArtifactNotFound, DigestMismatch
from phalanx_grid.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    FileEntry,
    Manifest,
    digest_of,
    encode_manifest,
    parse_manifest,
)


def read_manifest(path: Path | str, digest: str | None = None) -> tuple[Manifest, str]:
    """The manifest of an artifact and its digest; no other file is looked at.

    Raises:
        ArtifactNotFound: there is no artifact at the path.
        DigestMismatch: it is not the one that `digest` names.
        ArtifactCorrupt: the manifest is malformed.
    """
    file = Path(path) / MANIFEST
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_MANIFEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactNotFound(f"no artifact at {path}: it has no {MANIFEST}") from error
    except OSError as error:
        raise ArtifactCorrupt(f"not readable: {error.strerror}", file=MANIFEST) from error
    found = digest_of(data)
    if digest is not None and found != digest:
        raise DigestMismatch(f"the artifact has digest {found}, not {digest}", file=MANIFEST)
    if len(data) > MAX_MANIFEST_BYTES:
        raise ArtifactCorrupt(f"larger than {MAX_MANIFEST_BYTES} bytes", file=MANIFEST)
    return parse_manifest(data), found


def verify_artifact(path: Path | str, digest: str | None = None) -> tuple[Manifest, str]:
    """Read the manifest and check size and digest of every file that it names.

    Raises:
        ArtifactNotFound, DigestMismatch: as `read_manifest`.
        ArtifactCorrupt: a file is missing, truncated or altered; `file` names it.
    """
    manifest, found = read_manifest(path, digest)
    for name, entry in manifest.files.items():
        _verify_file(Path(path) / name, entry)
    return manifest, found


def write_artifact(
    path: Path | str, write: Callable[[Path], None], describe: Callable[[dict[str, FileEntry]], Manifest]
) -> str:
    """Make an artifact appear at `path` in one step, in place of an artifact that was there; returns its digest.

    `write` puts the files into the directory that it is given; `describe` makes the manifest from their entries.

    Raises:
        ArtifactError: `path` holds something that is not an artifact.
    """
    path = Path(path)
    if path.exists() and not (path / MANIFEST).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise ArtifactError(f"{path} exists and is no artifact; choose another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
        fresh, old = Path(scratch) / "new", Path(scratch) / "old"
        fresh.mkdir()
        write(fresh)
        data = encode_manifest(describe({file.name: _entry(file) for file in sorted(fresh.iterdir())}))
        (fresh / MANIFEST).write_bytes(data)
        for file in (*fresh.iterdir(), fresh):
            _sync(file)
        if path.exists():
            path.rename(old)
        fresh.rename(path)
        _sync(path.parent)
    return digest_of(data)


def _entry(file: Path) -> FileEntry:
    return FileEntry(sha256=_sha256(file), bytes=file.stat().st_size)


def _verify_file(file: Path, entry: FileEntry) -> None:
    try:
        size = file.stat().st_size
        if size != entry.bytes:
            raise ArtifactCorrupt(f"has {size} bytes, the manifest says {entry.bytes}", file=file.name)
        if _sha256(file) != entry.sha256:
            raise ArtifactCorrupt("differs from the digest in the manifest", file=file.name)
    except OSError as error:
        problem = "missing" if isinstance(error, FileNotFoundError) else f"not readable: {error.strerror}"
        raise ArtifactCorrupt(problem, file=file.name) from error


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Put a file or directory on the disk, so that a crash cannot leave a name without its bytes."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
