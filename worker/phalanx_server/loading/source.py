"""Where artifacts come from: a folder, a mounted claim, or a store that fsspec reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final, Protocol
from urllib.parse import unquote, urlsplit

from phalanx_contract.worker import LoadReason
from phalanx_server.loading.failure import LoadFailure
from phalanx_server.loading.patience import Patience

REMOTE_SCHEMES: Final = ("http", "https", "s3", "gs", "gcs", "az", "abfs")
"""Stores that may be named. Others that fsspec knows (local, memory, chained URLs) are no stores for models."""

_BLOCK_BYTES: Final = 1 << 20
"""What a driver asks a store for at a time; some would ask for 50 MB, which a slow network does not give in time."""


class Stream(Protocol):
    """A file that is being read."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Source(Protocol):
    """An artifact's files, by name."""

    def open(self, name: str, *, at: int = 0) -> tuple[Stream, int]:
        """A file, and the byte that the stream begins with: `at`, or 0 where the source cannot begin elsewhere.

        Raises:
            FileNotFoundError, NotADirectoryError: there is no such file. OSError, LoadFailure, or what a driver has.
        """
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """An artifact on a disk of this machine."""

    path: Path

    def open(self, name: str, *, at: int = 0) -> tuple[Stream, int]:
        """See `Source`."""
        return _from(at, (self.path / name).open("rb"))


@dataclass(frozen=True, slots=True)
class Claim:
    """An artifact on a mounted claim."""

    uri: str
    mount: Path
    path: Path

    def open(self, name: str, *, at: int = 0) -> tuple[Stream, int]:
        """See `Source`."""
        if not self.mount.is_dir():
            message = f"{self.uri}: the claim {self.mount.name!r} is not mounted in this pool"
            raise LoadFailure(LoadReason.ARTIFACT_NOT_FOUND, message)
        return Folder(self.mount / self.path).open(name, at=at)


@dataclass(frozen=True, slots=True)
class Store:
    """An artifact in a remote store."""

    uri: str

    def open(self, name: str, *, at: int = 0) -> tuple[Stream, int]:
        """See `Source`."""
        import fsspec  # slow to import, and most workers read from disks

        system, path = fsspec.core.url_to_fs(f"{self.uri.rstrip('/')}/{name}")
        return _from(at, system.open(path, "rb", block_size=_BLOCK_BYTES))


@dataclass(frozen=True, slots=True)
class Web:
    """An artifact on a web server, which may know how to begin in the middle of a file (HTTP Range) or not.

    A server that sends nothing for `stall_s` has failed; how long all of a file takes has no bound.
    """

    uri: str
    stall_s: float

    def open(self, name: str, *, at: int = 0) -> tuple[Stream, int]:
        """See `Source`."""
        import aiohttp
        import fsspec

        stall_s, url = self.stall_s, f"{self.uri.rstrip('/')}/{name}"
        timeout = aiohttp.ClientTimeout(total=None, connect=stall_s, sock_connect=stall_s, sock_read=stall_s)
        system = fsspec.filesystem("http", client_kwargs={"timeout": timeout})
        # What is compressed on the way has other byte ranges.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
        try:
            # Without blocks it is one answer that is read as it comes; with a size, whatever it is, nobody asks for it.
            stream = system.open(url, "rb", block_size=0, size=1, headers=headers)
        except aiohttp.ClientResponseError as error:
            if at and error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return self.open(name)
            if error.status == HTTPStatus.GONE:
                raise FileNotFoundError(url) from error
            raise
        return stream, at if stream.r.status == HTTPStatus.PARTIAL_CONTENT else 0


@dataclass(frozen=True, slots=True)
class Patient:
    """Another source, of whose calls none takes longer than `patience` lasts."""

    source: Source
    uri: str
    patience: Patience

    def open(self, name: str, *, at: int = 0) -> tuple[Stream, int]:
        """See `Source`; `LoadFailure` also from reads."""
        stream, begins = self.patience.call(self.uri, partial(self.source.open, name, at=at))
        return _PatientStream(stream, self.uri, self.patience), begins


@dataclass(slots=True)
class _PatientStream:
    stream: Stream
    uri: str
    patience: Patience
    given_up: bool = False

    def read(self, size: int, /) -> bytes:
        try:
            return self.patience.call(self.uri, partial(self.stream.read, size))
        except LoadFailure:
            self.given_up = True
            raise

    def close(self) -> None:
        if not self.given_up:  # else a call may still be in it
            self.patience.call(self.uri, self.stream.close)


def locate(uri: str, *, claims_dir: Path, stall_s: float) -> Source:
    """The source that a URI names.

    `file:///path` is a folder here, `pvc://claim/path` one on a mounted claim; the rest is read through fsspec. Nothing
    is touched yet.

    Raises:
        LoadFailure: a scheme that is not supported, or a path that leaves its claim.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, f"{uri}: a file URI has three slashes: file:///path")
        return Folder(Path(unquote(parts.path)))
    if parts.scheme == "pvc":
        return _claim(uri, parts.netloc, unquote(parts.path), claims_dir)
    if parts.scheme in REMOTE_SCHEMES and "::" not in uri:
        return Web(uri, stall_s) if parts.scheme in ("http", "https") else Store(uri)
    known = ", ".join(("file", "pvc", *REMOTE_SCHEMES))
    raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, f"{uri}: not a supported scheme; use one of {known}")


def _claim(uri: str, claim: str, path: str, claims_dir: Path) -> Claim:
    relative = Path(path.lstrip("/"))
    if not claim or ".." in relative.parts or claim in (".", ".."):
        raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, f"{uri}: must be pvc://CLAIM/PATH, without '..'")
    return Claim(uri, claims_dir / claim, relative)


def _from(at: int, stream: IO[bytes]) -> tuple[Stream, int]:
    """A stream that can be anywhere in its file."""
    if at:
        stream.seek(at)
    return stream, at
