"""How waiting texts become batches: places of the texts in each batch, from their numbers of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bench.cpu.scale import PADDED_TEXTS
from phalanx_server.batching.item import Item
from phalanx_server.batching.room import BatchLimits, WaitingRoom

Order = Callable[[Sequence[int]], Iterator[Sequence[int]]]


def buckets(tokens: Sequence[int]) -> Iterator[Sequence[int]]:
    """As the server's packer takes them, with its own limits."""
    room = WaitingRoom()
    for place, count in enumerate(tokens):
        room.add(Item(id=place, ensemble="", tokens=count, arrival_s=0.0, deadline_s=math.inf))
    while taken := room.take(BatchLimits()):
        yield [item.id for item in taken]


def padded(tokens: Sequence[int]) -> Iterator[Sequence[int]]:
    """In order of arrival."""
    return _dealt(range(len(tokens)))


def by_length(tokens: Sequence[int]) -> Iterator[Sequence[int]]:
    """The shortest first."""
    return _dealt(sorted(range(len(tokens)), key=tokens.__getitem__))


def padding(batches: Sequence[Sequence[int]]) -> float:
    """The share of padding in batches of texts of so many tokens."""
    computed = sum(len(batch) * max(batch) for batch in batches)
    return 1 - sum(map(sum, batches)) / computed


def _dealt(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), PADDED_TEXTS):
        yield places[start : start + PADDED_TEXTS]


ORDERS: Final[Mapping[str, Order]] = {"buckets": buckets, "padded": padded, "sorted": by_length}
