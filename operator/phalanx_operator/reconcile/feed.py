"""Take changes of the three kinds into the store, and mark the pools that they concern."""

from __future__ import annotations

from collections.abc import Callable

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.observe.store import Ref, Store, ref_of
from phalanx_operator.reconcile.relations import pools_of

Mark = Callable[[Key], None]


class Feed:
    """Watches and files write through it; `mark` gets pools, and names of what belongs to none."""

    def __init__(self, store: Store, mark: Mark) -> None:
        self._store = store
        self._mark = mark

    def mark(self, obj: Manifest) -> None:
        """Have the pools that an object concerns looked at; one that concerns none, by its own name."""
        for key in pools_of(obj, self._store) or {ref_of(obj).key}:
            self._mark(key)

    def put(self, obj: Manifest) -> None:
        """Remember an object; a pool that it left is marked."""
        before = self._store.get(ref_of(obj))
        left = pools_of(before, self._store) if before is not None else frozenset()
        self._store.put(obj)
        for key in left - pools_of(obj, self._store):
            self._mark(key)

    def remove(self, ref: Ref) -> None:
        """Forget an object and mark what it concerned."""
        gone = self._store.get(ref)
        if gone is not None:
            concerned = pools_of(gone, self._store) or {ref.key}
            self._store.remove(ref)
            for key in concerned:
                self._mark(key)
