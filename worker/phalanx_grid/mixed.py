"""Batches in which every sequence may have an adapter of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phalanx_grid.adapters import TARGETS, AdapterWeights
from phalanx_grid.cell import RowDelta
from phalanx_grid.copies import beside
from phalanx_grid.geometry import Geometry
from phalanx_grid.lora import low_rank
from phalanx_grid.readout import prefix_sums


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    weight: Tensor
    """[K, C, H]"""
    bias: Tensor
    """[K, C]"""


class SlotTensors:
    """The memory behind a table. It knows nothing of who uses which slot.

    For each row `down` [K, slots, 2*r, H] and `up` [K, slots, 2, H, r]; lower ranks are filled up with zeros, and
    `up` is scaled by `alpha / rank` already. Students come first, so that `[:k]` is a view.
    """

    def __init__(
        self, geometry: Geometry, *, slots: int, rank_max: int, device: torch.device | str, dtype: torch.dtype
    ) -> None:
        K, H, rows = geometry.students, geometry.hidden, range(geometry.rows)
        self.down = [torch.zeros(K, slots, TARGETS, rank_max, H, device=device, dtype=dtype) for _ in rows]
        self.up = [torch.zeros(K, slots, TARGETS, H, rank_max, device=device, dtype=dtype) for _ in rows]
        self.heads: list[_Head | None] = [None] * slots
        self._device = torch.device(device)

    @torch.no_grad()
    def write(self, slot: int, weights: AdapterWeights) -> None:
        """Fill a slot that no batch uses; when this returns, the device holds it."""
        r, scale = weights.rank, weights.alpha / weights.rank
        head = _Head(*(torch.empty_like(own, device=self._device) for own in (weights.head_weight, weights.head_bias)))
        with beside(self._device):
            for row, (down, up) in enumerate(zip(self.down, self.up, strict=True)):
                down[:, slot] = 0
                down[:, slot, :, :r] = weights.down[row].to(down)
                up[:, slot] = 0
                up[:, slot, ..., :r] = (weights.up[row] * scale).to(up)
            head.weight.copy_(weights.head_weight)
            head.bias.copy_(weights.head_bias)
        self.heads[slot] = head

    def select(self, slots: Tensor) -> Selection | None:
        """A batch's view of the slots, [N]; None if all are slot 0."""
        chosen: list[int] = slots.tolist()
        return Selection(self, chosen) if any(chosen) else None


class Selection:
    """The adapters of one batch, by sequence."""

    def __init__(self, tensors: SlotTensors, slots: list[int]) -> None:
        self._tensors, self._slots = tensors, slots
        self._one = len(set(slots)) == 1
        self._index = torch.tensor(slots, device=tensors.down[0].device)

    def delta(self, row: int) -> RowDelta:
        """What a row adds: one product for all sequences if they share an adapter, else one for each."""
        down, up = self._tensors.down[row], self._tensors.up[row]
        return self._shared(down, up) if self._one else self._gathered(down, up)

    def answer(self, answers: list[Tensor], features: Tensor, weights: Tensor) -> None:
        """Put the tenants' own logits [C_i] in place of the base model's, given head features [k, N, H].

        Heads of equal size are computed together.
        """
        by_size: dict[int, list[tuple[int, _Head]]] = {}
        for position, slot in enumerate(self._slots):
            head = self._tensors.heads[slot]
            if head is not None:
                by_size.setdefault(head.bias.shape[1], []).append((position, head))
        k = features.shape[0]
        for group in by_size.values():
            positions = [position for position, _ in group]
            weight = torch.stack([head.weight[:k] for _, head in group], dim=1)
            bias = torch.stack([head.bias[:k] for _, head in group], dim=1)
            own = torch.einsum("knh,knch->knc", features[:, positions], weight) + bias
            for position, logits in zip(positions, prefix_sums(own, weights)[-1], strict=True):
                answers[position] = logits

    def _shared(self, down: Tensor, up: Tensor) -> RowDelta:
        slot = self._slots[0]

        def apply(x: Tensor, n: int) -> Tensor:
            k = x.shape[0]
            return low_rank(x, down[:k, slot].flatten(1, 2), up[:k, slot])

        return apply

    def _gathered(self, down: Tensor, up: Tensor) -> RowDelta:
        def apply(x: Tensor, n: int) -> Tensor:
            k, tokens, hidden = x.shape
            # one gather for each sequence, never for each token
            low = down[:k].index_select(1, self._index).view(k * n, -1, hidden)
            high = up[:k].index_select(1, self._index).flatten(0, 1)
            return low_rank(x.reshape(k * n, tokens // n, hidden), low, high).reshape(k, tokens, -1, hidden)

        return apply
