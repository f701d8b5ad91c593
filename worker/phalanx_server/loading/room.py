"""How much room artifacts take, and whether there is enough for one more."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import nn

from phalanx_contract.worker import LoadReason
from phalanx_grid.manifest import MANIFEST, parse_manifest
from phalanx_server.loading.failure import LoadFailure


class Room:
    """Counts what grids take from before they are loaded until nobody refers to them. Safe to use from any thread."""

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes` 0 is no bound."""
        self._most_bytes = most_bytes
        self._held: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self._coming_bytes = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, wanted_bytes: int) -> Iterator[Callable[[nn.Module], None]]:
        """Room for one more grid while it is loaded; call what this gives with the grid, to keep it.

        Raises:
            LoadFailure: there is not enough.
        """
        with self._lock:
            if not self._fits(wanted_bytes):
                gc.collect()  # what was let go may still be in a cycle
                if not self._fits(wanted_bytes):
                    raise LoadFailure(LoadReason.OUT_OF_MEMORY, self._said(wanted_bytes), field="spec.artifact")
            self._coming_bytes += wanted_bytes
        try:
            yield lambda grid: self._held.__setitem__(grid, wanted_bytes)
        finally:
            with self._lock:
                self._coming_bytes -= wanted_bytes

    def _fits(self, wanted_bytes: int) -> bool:
        return not self._most_bytes or self._used_bytes() + wanted_bytes <= self._most_bytes

    def _used_bytes(self) -> int:
        return self._coming_bytes + sum(self._held.values())

    def _said(self, wanted_bytes: int) -> str:
        return f"its {wanted_bytes} bytes do not fit beside {self._used_bytes()}; there is room for {self._most_bytes}"


def weights_bytes(folder: Path) -> int:
    """The size of an artifact's files, by its manifest."""
    manifest = parse_manifest((folder / MANIFEST).read_bytes())
    return sum(entry.bytes for entry in manifest.files.values())
