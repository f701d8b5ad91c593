"""One process at a time: a lock on what a folder holds, which ends with its process however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from phalanx_distill.errors import OutputError

Waiting = Callable[[], None]
"""Told once, before a process waits for another."""


@contextmanager
def locked(folder: Path, *, waiting: Waiting | None = None) -> Iterator[None]:
    """Hold `<folder>.lock`; without `waiting` a second process is refused, with it it waits for the first.

    Raises:
        OutputError: another process holds the lock, or there can be no file at that place.
    """
    path = folder.with_name(f"{folder.name}.lock")
    file = _taken(path, waiting)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _taken(path: Path, waiting: Waiting | None) -> IO[bytes]:
    while True:
        file = _opened(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if waiting is None:
                file.close()
                raise OutputError(
                    f"{path} is held by another run; wait for its end, or choose another folder"
                ) from error
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            file.close()
            raise OutputError(f"{path} cannot be locked: {error.strerror}; choose a folder on another disk") from error
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # its holder removed it meanwhile: a lock on a file without a name keeps nobody out


def _opened(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; choose another folder") from error
