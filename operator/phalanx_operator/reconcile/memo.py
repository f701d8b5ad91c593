"""Do not compute again what was computed from the same. Pure but for what is remembered.

Most rounds find everything as it was: ten thousand tenants must not mean ten thousand readings of their specs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """The latest result of one pure computation.

    Inputs are compared with `==`, which is quick for tuples and mappings of the very same objects.
    """

    def __init__(self) -> None:
        self._kept: tuple[object, T] | None = None

    def of(self, inputs: object, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed only if the inputs differ from those of the last time."""
        if self._kept is None or self._kept[0] != inputs:
            self._kept = (inputs, compute())
        return self._kept[1]


class Shelf(Generic[T]):
    """One result for each key, with the inputs that it came from."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[object, T]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, key: Hashable, inputs: object, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed only if the key's inputs differ from those of the last time."""
        kept = self._kept.get(key)
        if kept is None or kept[0] != inputs:
            kept = self._kept[key] = (inputs, compute())
        return kept[1]

    def keep(self, keys: Iterable[Hashable]) -> None:
        """Forget all others."""
        wanted = set(keys)
        for gone in self._kept.keys() - wanted:
            del self._kept[gone]
