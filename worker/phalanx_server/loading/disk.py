"""Room for local copies on the disk: what no plan names any more makes way for what one does."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from phalanx_contract.worker import LoadReason
from phalanx_server.loading.failure import LoadFailure

COMPLETE: Final = "sha256"
PARTIAL: Final = "partial"
FIELD: Final = "spec.artifacts.cacheSize of the pool"
_BLOCK_BYTES: Final = 4096
"""What file systems give out, and what a kubelet counts."""


class Disk:
    """Copies in folders below `root`, by digest. `limit_bytes` 0 is no bound. Safe to use from several threads.

    Before `keep` is called for the first time everything may be in use, and nothing is dropped.
    """

    def __init__(self, root: Path, *, limit_bytes: int) -> None:
        self._root, self._limit_bytes = root, limit_bytes
        self._needed: frozenset[str] | None = None
        self._coming: dict[str, int] = {}
        self._lock = threading.Lock()

    def keep(self, digests: Iterable[str]) -> None:
        """Hex digests of what may be loaded; all others may be dropped from now on."""
        self._needed = frozenset(digests)

    @contextlib.contextmanager
    def room(self, digest: str, sizes: Iterable[int]) -> Iterator[None]:
        """Room for one more copy, of files of these sizes, while it is made.

        Raises:
            LoadFailure: there is not enough, whatever is dropped.
        """
        wanted_bytes = sum(map(on_disk, sizes))
        with self._lock:
            if self._limit_bytes:
                self._make_room(digest, wanted_bytes)
            self._coming[digest] = wanted_bytes
        try:
            yield
        finally:
            with self._lock:
                del self._coming[digest]

    def drop_all_unneeded(self) -> bool:
        """Make what room there can be; whether there was anything to drop."""
        with self._lock:
            unneeded = self._unneeded()
            for folder in unneeded:
                shutil.rmtree(folder, ignore_errors=True)
            return bool(unneeded)

    def _make_room(self, digest: str, wanted_bytes: int) -> None:
        missing_bytes = self._used_bytes(digest) + wanted_bytes - self._limit_bytes
        for folder in self._unneeded():
            if missing_bytes <= 0:
                break
            missing_bytes -= _size(folder)
            shutil.rmtree(folder, ignore_errors=True)
        if missing_bytes > 0:
            message = f"its {wanted_bytes} bytes are {missing_bytes} more than there is room for on the worker's disk"
            raise LoadFailure(LoadReason.CACHE_FULL, message, field=FIELD)

    def _used_bytes(self, digest: str) -> int:
        """By complete copies, by those under way when they are complete, and by what others have left behind."""
        others = {name: size for name, size in self._coming.items() if name != digest}
        left = (each for each in self._folders() if each.name != digest and each.name not in others)
        return sum(others.values()) + sum(map(_size, left))

    def _unneeded(self) -> list[Path]:
        """The oldest first."""
        needed = self._needed
        if needed is None:
            return []
        found = [each for each in self._folders() if each.name not in needed and each.name not in self._coming]
        return sorted(found, key=_made_at)

    def _folders(self) -> list[Path]:
        kinds = [self._root / COMPLETE, self._root / PARTIAL]
        return [each for kind in kinds if kind.is_dir() for each in kind.iterdir()]


def on_disk(size_bytes: int) -> int:
    """What a file of this size takes."""
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def _size(folder: Path) -> int:
    """0 for what is gone by now."""
    return sum(on_disk(size) for file in folder.rglob("*") if (size := _file_size(file)) is not None)


def _file_size(file: Path) -> int | None:
    try:
        return file.stat().st_size if file.is_file() else None
    except OSError:
        return None


def _made_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
