"""The waiting room of one ensemble, and the packer that takes batches from it.

Texts of like length go together, so that padding is bounded; the oldest text is always in the next batch, so
that no length starves (SYSTEMS: Academus' length-aware buffer, arXiv 2408.12526). The engine never waits for a
batch to fill: whatever is there when the device is free runs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phalanx_server.batching.item import Item

_SCANS_PER_TEXT: Final = 4
"""Items looked at for each place in a batch: bounds the packer's time on a long queue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchLimits:
    """Bounds of one batch. `tokens` counts padding; `padding` is the largest share of it, from 0 to 1."""

    tokens: int = 4096
    texts: int = 64
    padding: float = 0.25


@dataclass(slots=True)
class _Draft:
    """A batch in the making."""

    limits: BatchLimits
    items: list[Item]
    longest: int
    real: int

    def offer(self, item: Item) -> None:
        """Take the item if the batch stays within its limits."""
        longest = max(self.longest, item.tokens)
        real = self.real + item.tokens
        padded = longest * (len(self.items) + 1)
        if padded > self.limits.tokens or padded - real > self.limits.padding * padded:
            return
        self.items.append(item)
        self.longest, self.real = longest, real

    @property
    def full(self) -> bool:
        """Whether not even a text of no tokens would fit."""
        count = len(self.items) + 1
        return count > self.limits.texts or self.longest * count > self.limits.tokens


class WaitingRoom:
    """Items in order of arrival, also by length: two buckets an octave, so that a bucket pads by a third at most."""

    def __init__(self) -> None:
        self._order: OrderedDict[int, Item] = OrderedDict()
        self._buckets: dict[int, OrderedDict[int, Item]] = {}
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._order)

    def __repr__(self) -> str:
        return f"<WaitingRoom texts={len(self)} tokens={self.tokens}>"

    @property
    def oldest(self) -> Item | None:
        """The item that arrived first."""
        return next(iter(self._order.values()), None)

    def add(self, item: Item) -> None:
        """Let an item in.

        Raises:
            ValueError: its id is already waiting.
        """
        if item.id in self._order:
            raise ValueError(f"item {item.id} is already waiting")
        self._order[item.id] = item
        self._buckets.setdefault(length_bucket(item.tokens), OrderedDict())[item.id] = item
        self.tokens += item.tokens

    def cancel(self, item_id: int) -> bool:
        """Drop an item; False if it is not waiting (it runs already, or never came)."""
        return self._remove(item_id) is not None

    def expire(self, now_s: float) -> tuple[Item, ...]:
        """Drop and return the items whose deadline has passed."""
        late: list[Item] = []
        while (oldest := self.oldest) is not None and oldest.deadline_s <= now_s:
            self._remove(oldest.id)
            late.append(oldest)
        return tuple(late)

    def take(self, limits: BatchLimits) -> tuple[Item, ...]:
        """Remove and return the next batch: the oldest item, alone if it must be, and others of like length."""
        seed = self.oldest
        if seed is None:
            return ()
        draft = _Draft(limits=limits, items=[seed], longest=seed.tokens, real=seed.tokens)
        self._remove(seed.id)
        scans = _SCANS_PER_TEXT * limits.texts
        for item in self._near(seed.tokens):
            if draft.full or scans == 0:
                break
            draft.offer(item)
            scans -= 1
        for item in draft.items[1:]:
            self._remove(item.id)
        return tuple(draft.items)

    def _near(self, tokens: int) -> Iterator[Item]:
        """All items, nearest length bucket first, shorter before longer, then by arrival."""
        home = length_bucket(tokens)
        for index in sorted(self._buckets, key=lambda bucket: (abs(bucket - home), bucket)):
            yield from self._buckets[index].values()

    def _remove(self, item_id: int) -> Item | None:
        item = self._order.pop(item_id, None)
        if item is None:
            return None
        index = length_bucket(item.tokens)
        del self._buckets[index][item_id]
        if not self._buckets[index]:
            del self._buckets[index]
        self.tokens -= item.tokens
        return item


def length_bucket(tokens: int) -> int:
    """The bucket of a length: 1, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-23, ...; monotone in `tokens`."""
    bits = tokens.bit_length()
    half = (tokens >> (bits - 2)) & 1 if bits > 1 else 0
    return 2 * bits + half
