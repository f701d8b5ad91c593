"""A padded batch without its padding: sequences by length, each length one group, all tokens in one row of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from phalanx_grid.batch import Batch
from phalanx_grid.geometry import Pooling


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring sequences of equal length: `count` of `length` tokens each, the first token at `start`."""

    start: int
    count: int
    length: int

    @property
    def stop(self) -> int:
        """Behind the last token."""
        return self.start + self.count * self.length


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """T tokens of some of a batch's sequences, the shortest sequences first.

    `order` int64 [n] are the sequences' places in the batch. `index` int64 [T] are the tokens' places in the padded
    batch [N*S], or None if they are all of them in their places.
    """

    groups: tuple[Group, ...]
    order: Tensor
    index: Tensor | None

    def take(self, padded: Tensor) -> Tensor:
        """States [N*S, H] without those of padding, [T, H]."""
        return padded if self.index is None else padded.index_select(0, self.index)

    def pool(self, x: Tensor, pooling: Pooling) -> Tensor:
        """States [T, H] to one vector a sequence, [n, H]: its first token, or the mean over its tokens."""
        states = (x[group.start : group.stop].view(group.count, group.length, -1) for group in self.groups)
        return torch.cat([state[:, 0] if pooling == "cls" else state.mean(1) for state in states])


def pack(batch: Batch, parts: int = 1) -> list[Packing]:
    """A batch in at most so many packings of about equally many tokens."""
    if batch.full and parts == 1:
        return [Packing((Group(0, batch.size, batch.length),), torch.arange(batch.size), None)]
    lengths, order = batch.mask.sum(1).sort(stable=True)
    sizes: list[int] = lengths.tolist()
    bounds = _bounds(sizes, parts)
    return [_packing(batch, order[start:stop], sizes[start:stop]) for start, stop in bounds]


def unpack(pooled: Sequence[Tensor], packings: Sequence[Packing]) -> Tensor:
    """The vectors of all packings, [..., n, H] each, in the order of the batch, [..., N, H]."""
    if len(packings) == 1 and packings[0].index is None:
        return pooled[0]
    return torch.cat(list(pooled), dim=-2).index_select(
        -2, torch.cat([packing.order for packing in packings]).argsort()
    )


def _packing(batch: Batch, order: Tensor, sizes: Sequence[int]) -> Packing:
    places = order[:, None] * batch.length + torch.arange(batch.length)
    return Packing(tuple(_groups(sizes)), order, places[batch.mask[order]])


def _groups(sizes: Sequence[int]) -> Iterator[Group]:
    start = 0
    for length, same in groupby(sizes):
        group = Group(start, len(list(same)), length)
        yield group
        start = group.stop


def _bounds(sizes: Sequence[int], parts: int) -> Iterator[tuple[int, int]]:
    """Where to cut: a part ends once it and those before it have their share of the tokens."""
    share, begin, tokens = sum(sizes) / parts, 0, 0
    cuts = 1
    for place, size in enumerate(sizes, start=1):
        tokens += size
        if tokens >= cuts * share - 0.5 * size or place == len(sizes):
            yield begin, place
            begin, cuts = place, cuts + 1
