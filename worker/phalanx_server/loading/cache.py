"""Local copies of artifacts, by digest: fetched once, verified, and in place only when whole.

<root>/sha256/<hex>/      complete artifacts
<root>/partial/<hex>/     fetches under way; an interrupted one goes on where it stopped
<root>/locks/<hex>        held while fetching, so that one process or thread at a time does

What no plan names stays until its room is needed (`disk`): a rollback finds its artifact still there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from phalanx_contract.plan import Artifact
from phalanx_contract.worker import LoadReason
from phalanx_grid import ArtifactCorrupt, DigestMismatch
from phalanx_grid.manifest import MANIFEST, MAX_MANIFEST_BYTES, FileEntry, digest_of, parse_manifest
from phalanx_server.loading.disk import COMPLETE, FIELD, PARTIAL, Disk
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.loading.patience import Patience
from phalanx_server.loading.source import Patient, Source, Stream, locate

_CHUNK_BYTES: Final = 1 << 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ArtifactCache:
    """Fetches artifacts into a folder. Safe to use from several threads and processes at once."""

    def __init__(self, root: Path, *, claims_dir: Path, limit_bytes: int = 0, stall_s: float = 30.0) -> None:
        """`limit_bytes` 0 is no bound. A store that gives nothing for `stall_s` has failed."""
        self._root, self._claims_dir, self._stall_s = root, claims_dir, stall_s
        self._disk = Disk(root, limit_bytes=limit_bytes)
        self._patience = Patience(stall_s)

    def keep(self, digests: Iterable[str]) -> None:
        """What is needed; copies of anything else may be dropped from now on."""
        self._disk.keep(digest.removeprefix("sha256:") for digest in digests)

    def fetch(self, artifact: Artifact) -> Path:
        """The folder of a complete local copy.

        Raises:
            LoadFailure: the store cannot be read or has no such artifact, or there is no room for it.
            DigestMismatch, ArtifactCorrupt: what it has is not what the digest promises; no copy is kept.
        """
        digest = artifact.digest.removeprefix("sha256:")
        final = self._root / COMPLETE / digest
        if final.is_dir():
            return final
        found = locate(artifact.uri, claims_dir=self._claims_dir, stall_s=self._stall_s)
        source = Patient(found, artifact.uri, self._patience)
        try:
            with self._alone(digest):
                if not final.is_dir():
                    self._fetch(artifact, source, self._root / PARTIAL / digest, final)
        except OSError as error:
            if error.errno in _FULL:
                raise self._full(digest, artifact, error) from error
            raise LoadFailure(LoadReason.FETCH_FAILED, f"{artifact.uri}: {_words(error)}") from error
        return final

    def discard(self, digest: str) -> None:
        """Drop a copy that turned out damaged, so that the next attempt fetches it again."""
        shutil.rmtree(self._root / COMPLETE / digest.removeprefix("sha256:"), ignore_errors=True)

    def _full(self, digest: str, artifact: Artifact, error: OSError) -> LoadFailure:
        """What could not be completed makes room, or one artifact that is too large would keep all others out."""
        shutil.rmtree(self._root / PARTIAL / digest, ignore_errors=True)
        message = f"no room for {artifact.uri} in the worker's volume for artifacts ({error.strerror})"
        return LoadFailure(LoadReason.CACHE_FULL, message, field=FIELD)

    def _fetch(self, artifact: Artifact, source: Source, partial: Path, final: Path) -> None:
        manifest = _read_manifest(artifact, source)
        files = parse_manifest(manifest).files
        with self._disk.room(final.name, [len(manifest), *(entry.bytes for entry in files.values())]):
            try:
                _complete(artifact, source, manifest, files, partial)
            except OSError as error:
                if error.errno not in _FULL or not self._disk.drop_all_unneeded():
                    raise
                _complete(artifact, source, manifest, files, partial)
            final.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(final)

    @contextlib.contextmanager
    def _alone(self, digest: str) -> Iterator[None]:
        lock = self._root / "locks" / digest
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _complete(
    artifact: Artifact, source: Source, manifest: bytes, files: Mapping[str, FileEntry], partial: Path
) -> None:
    """All files, going on after what an earlier attempt has left."""
    partial.mkdir(parents=True, exist_ok=True)
    for name, entry in files.items():
        _copy(artifact.uri, source, name, entry, partial / name)
    (partial / MANIFEST).write_bytes(manifest)


def _read_manifest(artifact: Artifact, source: Source) -> bytes:
    data = b""
    with _opened(artifact.uri, source, MANIFEST) as (stream, _):
        # A stream gives what has come, which need not be all that was asked for.
        while len(data) <= MAX_MANIFEST_BYTES and (chunk := stream.read(MAX_MANIFEST_BYTES + 1 - len(data))):
            data += chunk
    if digest_of(data) != artifact.digest:
        raise DigestMismatch(f"{artifact.uri} has digest {digest_of(data)}, not {artifact.digest}", file=MANIFEST)
    return data


def _copy(uri: str, source: Source, name: str, entry: FileEntry, target: Path) -> None:
    """Copy a file, or what is missing of it, and check it."""
    if target.is_file():
        return
    part = target.with_name(f"{name}.part")
    have_bytes = part.stat().st_size if part.is_file() else 0
    if have_bytes >= entry.bytes:
        have_bytes = 0  # nothing that could be gone on with
    with _opened(uri, source, name, at=have_bytes, part_of=True) as (stream, begins), part.open("a+b") as out:
        out.truncate(begins)
        out.seek(0)
        digest = hashlib.file_digest(out, "sha256")
        # One byte more than promised shows a file that is too long.
        while out.tell() <= entry.bytes and (chunk := stream.read(_CHUNK_BYTES)):
            out.write(chunk)
            digest.update(chunk)
        size = out.tell()
    if size != entry.bytes or digest.hexdigest() != entry.sha256:
        part.unlink()
        problem = f"has {size} bytes, the manifest says {entry.bytes}" if size != entry.bytes else "was altered"
        raise ArtifactCorrupt(f"{problem} (in {uri})", file=name)
    part.rename(target)


@contextlib.contextmanager
def _opened(uri: str, source: Source, name: str, *, at: int = 0, part_of: bool = False) -> Iterator[tuple[Stream, int]]:
    """The file's stream and the byte that it begins with, as `Source.open`; the store's own errors as failures."""
    try:
        stream, begins = source.open(name, at=at)
        with contextlib.closing(stream):
            yield stream, begins
    except (FileNotFoundError, NotADirectoryError) as error:
        if part_of:
            raise ArtifactCorrupt(f"missing (in {uri})", file=name) from error
        raise LoadFailure(LoadReason.ARTIFACT_NOT_FOUND, f"no artifact at {uri}: it has no {name}") from error
    except ImportError as error:
        message = f"{uri}: this worker has no driver for the store: {error}"
        raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, message) from error
    except (OSError, ArtifactCorrupt, LoadFailure):
        raise
    except Exception as error:  # each store's client has errors of its own
        raise LoadFailure(LoadReason.FETCH_FAILED, f"{uri}: {_words(error)}") from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
