"""The adapters that are on the device: a table of slots, keyed by content digest.

Rules, so that no tenant is ever served with another's weights:

1. Slot 0 is zeros and belongs to nobody: sequences without an adapter have it.
2. A slot is written only while nobody can see it: it is free, or was idle and has just lost its digest.
3. A digest can be seen only after its slot is written.
4. `acquire` pins a slot until `release`; a pinned slot is never written and never changes its digest.
5. A removed adapter cannot be acquired any more; its slot becomes free when the last user releases it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from phalanx_grid.adapters import AdapterWeights, check_fits
from phalanx_grid.errors import AdapterNotLoaded, AdapterTableFull
from phalanx_grid.geometry import Geometry
from phalanx_grid.grid import Grid
from phalanx_grid.mixed import Selection, SlotTensors


@dataclass(slots=True)
class _Slot:
    """Who holds a slot; `users` counts acquisitions, `removed` that it is to be freed after the last."""

    digest: str
    users: int = 0
    removed: bool = False


class AdapterTable:
    """Device memory for `slots` adapters of rank up to `rank_max`, shared by the engine and its loaders.

    All methods may be called from any thread. Memory is taken at once: per slot and row
    `students * 4 * rank_max * hidden` numbers.
    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        slots: int,
        rank_max: int = 16,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if slots < 1 or rank_max < 1:
            raise ValueError(f"slots {slots} and rank_max {rank_max} must both be at least 1")
        self.geometry, self.slots, self.rank_max = geometry, slots, rank_max
        self._tensors = SlotTensors(geometry, slots=slots + 1, rank_max=rank_max, device=device, dtype=dtype)
        self._changed = threading.Condition()
        self._free = list(range(slots, 0, -1))
        self._held: dict[int, _Slot] = {}
        self._by_digest: OrderedDict[str, int] = OrderedDict()
        """Visible digests, the least recently used first."""
        self._writing: set[str] = set()

    @classmethod
    def for_grid(cls, grid: Grid, *, slots: int, rank_max: int = 16) -> AdapterTable:
        """A table beside a grid: on its device, in its number format."""
        word = grid.embeddings.word
        return cls(grid.geometry, slots=slots, rank_max=rank_max, device=word.device, dtype=word.dtype)

    def put(self, digest: str, weights: AdapterWeights) -> int:
        """Load an adapter and return its slot; an idle one that was not used for longest makes room.

        If it is there already, or another thread is loading it, nothing is loaded twice.

        Raises:
            BaseMismatch, RankTooHigh: the weights do not fit this table's geometry or rank.
            AdapterTableFull: every slot is in use.
        """
        check_fits(weights, self.geometry, rank_max=self.rank_max)
        with self._changed:
            while digest in self._writing:
                self._changed.wait()
            present = self._revive(digest)
            if present is not None:
                return present
            slot = self._take()
            self._writing.add(digest)
        try:
            self._tensors.write(slot, weights)
        except BaseException:
            with self._changed:
                self._free.append(slot)
                self._done(digest)
            raise
        with self._changed:
            self._held[slot] = _Slot(digest)
            self._by_digest[digest] = slot
            self._done(digest)
        return slot

    def acquire(self, digest: str) -> int:
        """Pin an adapter for a batch and return its slot; `release` it once the results have been read.

        Raises:
            AdapterNotLoaded: no slot holds it.
        """
        with self._changed:
            slot = self._by_digest.get(digest)
            if slot is None:
                raise AdapterNotLoaded(f"no slot holds the adapter {digest}")
            self._by_digest.move_to_end(digest)
            self._held[slot].users += 1
            return slot

    def release(self, slot: int) -> None:
        """Undo one `acquire`.

        Raises:
            ValueError: the slot is not acquired.
        """
        with self._changed:
            held = self._held.get(slot)
            if held is None or held.users == 0:
                raise ValueError(f"slot {slot} is released more often than acquired")
            held.users -= 1
            if held.users == 0 and held.removed:
                self._drop(slot)

    @contextmanager
    def using(self, digest: str) -> Iterator[int]:
        """`acquire` and `release` around a block."""
        slot = self.acquire(digest)
        try:
            yield slot
        finally:
            self.release(slot)

    def remove(self, digest: str) -> None:
        """Make an adapter unavailable, at once for new batches; unknown digests are ignored."""
        with self._changed:
            while digest in self._writing:
                self._changed.wait()
            slot = self._by_digest.pop(digest, None)
            if slot is None:
                return
            self._held[slot].removed = True
            if self._held[slot].users == 0:
                self._drop(slot)

    def slot_of(self, digest: str) -> int | None:
        """The slot that holds an adapter, or None."""
        with self._changed:
            return self._by_digest.get(digest)

    @property
    def digests(self) -> tuple[str, ...]:
        """The adapters that can be acquired, the least recently used first."""
        with self._changed:
            return tuple(self._by_digest)

    @property
    def used(self) -> int:
        """Slots that hold an adapter, those of removed ones that are still in use included."""
        with self._changed:
            return len(self._held)

    def select(self, slots: Tensor) -> Selection | None:
        """What the sequences of a batch need, by their slots [N]; None if it is nothing.

        The caller has acquired them all.
        """
        return self._tensors.select(slots)

    def __repr__(self) -> str:
        with self._changed:
            held = ", ".join(f"{slot}: {h.digest[:14]} x{h.users}" for slot, h in sorted(self._held.items()))
            return f"AdapterTable({len(self._held)}/{self.slots} used; {held})"

    def _revive(self, digest: str) -> int | None:
        """The slot that holds this content, made visible again if it was removed while in use."""
        if digest not in self._by_digest:
            leaving = [slot for slot, held in self._held.items() if held.digest == digest]
            if not leaving:
                return None
            self._held[leaving[0]].removed = False
            self._by_digest[digest] = leaving[0]
        self._by_digest.move_to_end(digest)
        return self._by_digest[digest]

    def _take(self) -> int:
        """A slot that nobody sees, evicting an idle adapter if need be."""
        if not self._free:
            idle = next((d for d, slot in self._by_digest.items() if self._held[slot].users == 0), None)
            if idle is None:
                raise AdapterTableFull(f"all {self.slots} adapter slots are in use; raise the pool's device slots")
            self._drop(self._by_digest.pop(idle))
        return self._free.pop()

    def _drop(self, slot: int) -> None:
        del self._held[slot]
        self._free.append(slot)

    def _done(self, digest: str) -> None:
        self._writing.discard(digest)
        self._changed.notify_all()
