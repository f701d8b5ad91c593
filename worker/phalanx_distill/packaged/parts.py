"""Several files read as one: a split archive needs no joined copy on disk."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path


class Parts(io.RawIOBase):
    """A seekable, read-only stream over files laid end to end."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        self._starts = [0, *accumulate(path.stat().st_size for path in paths)]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = self._starts[-1] - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        chunks = []
        while wanted > 0:
            index = bisect_right(self._starts, self._at) - 1
            file = self._files[index]
            file.seek(self._at - self._starts[index])
            chunk = file.read(min(wanted, self._starts[index + 1] - self._at))
            if not chunk:
                raise OSError(f"{file.name} became shorter while it was read")
            chunks.append(chunk)
            self._at += len(chunk)
            wanted -= len(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
