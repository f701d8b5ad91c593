"""Where artifacts come from: a folder, a mounted claim, or a store that fsspec reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol
from urllib.parse import unquote, urlsplit

from phalanx_contract.worker import LoadReason
from phalanx_server.loading.failure import LoadFailure

REMOTE_SCHEMES: Final = ("http", "https", "s3", "gs", "gcs", "az", "abfs")
"""Stores that may be named. Others that fsspec knows (local, memory, chained URLs) are no stores for models."""


class Source(Protocol):
    """An artifact's files, by name."""

    def open(self, name: str) -> IO[bytes]:
        """A seekable stream of one file; raises `FileNotFoundError` if there is none, or `OSError`."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """An artifact on a disk of this machine."""

    path: Path

    def open(self, name: str) -> IO[bytes]:
        """See `Source`."""
        return (self.path / name).open("rb")


@dataclass(frozen=True, slots=True)
class Store:
    """An artifact in a remote store."""

    uri: str

    def open(self, name: str) -> IO[bytes]:
        """See `Source`."""
        import fsspec  # slow to import, and most workers read from disks

        stream: IO[bytes] = fsspec.open(f"{self.uri.rstrip('/')}/{name}", "rb").open()
        return stream


def locate(uri: str, *, claims_dir: Path) -> Source:
    """The source that a URI names.

    `file:///path` is a folder here, `pvc://claim/path` one on a mounted claim; the rest is read through fsspec.

    Raises:
        LoadFailure: a scheme that is not supported, a claim that is not mounted, or a path that leaves its claim.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, f"{uri}: a file URI has three slashes: file:///path")
        return Folder(Path(unquote(parts.path)))
    if parts.scheme == "pvc":
        return _claim(uri, parts.netloc, unquote(parts.path), claims_dir)
    if parts.scheme in REMOTE_SCHEMES and "::" not in uri:
        return Store(uri)
    known = ", ".join(("file", "pvc", *REMOTE_SCHEMES))
    raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, f"{uri}: not a supported scheme; use one of {known}")


def _claim(uri: str, claim: str, path: str, claims_dir: Path) -> Folder:
    relative = Path(path.lstrip("/"))
    if not claim or ".." in relative.parts or claim in (".", ".."):
        raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, f"{uri}: must be pvc://CLAIM/PATH, without '..'")
    if not (claims_dir / claim).is_dir():
        raise LoadFailure(LoadReason.ARTIFACT_NOT_FOUND, f"{uri}: the claim {claim!r} is not mounted in this pool")
    return Folder(claims_dir / claim / relative)
