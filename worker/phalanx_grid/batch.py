"""Token ids of several texts, padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """N sequences of S tokens.

    `ids` is int64 [N, S], `mask` bool [N, S] with True on tokens (padding stands at the end). `slots` is int64 [N],
    the adapter slot of each sequence (0: none), and stays on the host, where the kind of computation is chosen.
    `full` says that nothing is padded, so that attention needs no mask.
    """

    ids: Tensor
    mask: Tensor
    slots: Tensor | None = None
    full: bool = False

    @classmethod
    def pad(cls, sequences: Sequence[Sequence[int]], pad_id: int, slots: Sequence[int] | None = None) -> Batch:
        """Pad id lists at their ends to the longest.

        Raises:
            ValueError: no sequences, an empty one, or another number of slots than sequences.
        """
        lengths = [len(sequence) for sequence in sequences]
        if not lengths or min(lengths) == 0:
            raise ValueError("a batch needs at least one sequence, and each at least one token")
        if slots is not None and len(slots) != len(lengths):
            raise ValueError(f"{len(slots)} slots for {len(lengths)} sequences")
        longest = max(lengths)
        ids = torch.tensor([[*sequence, *[pad_id] * (longest - len(sequence))] for sequence in sequences])
        mask = torch.arange(longest) < torch.tensor(lengths).unsqueeze(1)
        return cls(ids, mask, None if slots is None else torch.tensor(slots), full=min(lengths) == longest)

    @property
    def size(self) -> int:
        """The number of sequences, N."""
        return self.ids.shape[0]

    @property
    def length(self) -> int:
        """The padded number of tokens of each sequence, S."""
        return self.ids.shape[1]

    @property
    def adapted(self) -> bool:
        """Whether any sequence asks for an adapter."""
        return self.slots is not None and bool(self.slots.any())

    def to(self, device: torch.device | str) -> Batch:
        """The batch with ids and mask on a device; `slots` stays on the host."""
        ids, mask = (tensor.to(device, non_blocking=True) for tensor in (self.ids, self.mask))
        return Batch(ids, mask, self.slots, self.full)
