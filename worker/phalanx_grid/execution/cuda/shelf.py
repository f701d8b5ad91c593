"""What is worth keeping, within bounds: the least recently used goes first."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, Protocol, TypeVar

_COUNTED: Final = 4096
"""Keys whose demand is counted; with more, counting starts anew."""


class Weighty(Protocol):
    """Something that holds memory."""

    @property
    def own_bytes(self) -> int:
        """Memory that is free once it is dropped."""
        ...


Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing", bound=Weighty)


class Shelf(Generic[Key, Thing]):
    """At most `count` things of at most `own_bytes` together. A key is worth a thing after `asks` requests for it."""

    def __init__(self, *, count: int, own_bytes: int, asks: int) -> None:
        self._count, self._bytes, self._asks = count, own_bytes, asks
        self._things: OrderedDict[Key, Thing] = OrderedDict()
        self._asked: Counter[Key] = Counter()

    def get(self, key: Key) -> Thing | None:
        """The thing, now the most recently used; None if there is none, which counts as a request for it."""
        thing = self._things.get(key)
        if thing is not None:
            self._things.move_to_end(key)
            return thing
        if len(self._asked) >= _COUNTED:
            self._asked.clear()
        self._asked[key] += 1
        return None

    def wanted(self, key: Key) -> bool:
        """Whether it has been asked for often enough to be made."""
        return self._asked[key] >= self._asks

    def put(self, key: Key, thing: Thing) -> list[Thing]:
        """Keep a thing; what has to make room for it is handed back. The newest is always kept."""
        del self._asked[key]
        dropped = [self._things.pop(key)] if key in self._things else []
        self._things[key] = thing
        while len(self._things) > 1 and (len(self._things) > self._count or self.own_bytes > self._bytes):
            dropped.append(self._things.popitem(last=False)[1])
        return dropped

    def clear(self) -> None:
        """Keep nothing."""
        self._things.clear()

    @property
    def full(self) -> bool:
        """Whether one more would push another out by number or, if it is as large as the mean, by memory."""
        mean = self.own_bytes // max(len(self), 1)
        return len(self) >= self._count or self.own_bytes + mean > self._bytes

    @property
    def own_bytes(self) -> int:
        """Memory of all things."""
        return sum(thing.own_bytes for thing in self._things.values())

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, key: Key) -> bool:
        return key in self._things
