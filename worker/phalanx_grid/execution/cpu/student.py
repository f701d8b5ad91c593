"""One student alone, over packed tokens, in the layout that a CPU likes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from phalanx_grid.cell import Row
from phalanx_grid.execution.cpu.linear import Prepare
from phalanx_grid.execution.cpu.packing import Group, Packing
from phalanx_grid.stacked import StackedNorm


class PackedRow:
    """Student m's part of a row."""

    def __init__(self, row: Row, student: int, prepare: Prepare) -> None:
        self._heads = row.heads
        self._qkv = prepare(row.qkv, student, False)
        self._out = prepare(row.out, student, False)
        self._attention_norm = _Norm(row.attention_norm, student)
        self._up = prepare(row.up, student, True)
        self._down = prepare(row.down, student, False)
        self._output_norm = _Norm(row.output_norm, student)

    def __call__(self, x: Tensor, packing: Packing, bias: Tensor | None, *, first_only: bool) -> Tensor:
        """States [T, H] before the row to those after it; with `first_only` those of the first tokens, [n, H].

        `bias` [heads, S, S] is added to attention scores, for S of at least the longest sequence.
        """
        qkv = self._qkv(x)
        mixed = [_attend(qkv, group, self._heads, bias, first_only=first_only) for group in packing.groups]
        if first_only:
            x = packing.pool(x, "cls")
        x = self._attention_norm(x + self._out(_joined(mixed)))
        return self._output_norm(x + self._down(self._up(x)))


class _Norm:
    def __init__(self, norm: StackedNorm, student: int) -> None:
        self._weight, self._bias = norm.weight[student].detach(), norm.bias[student].detach()
        self._shape, self._eps = self._weight.shape, norm.eps

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self._shape, self._weight, self._bias, self._eps)


def _attend(qkv: Tensor, group: Group, heads: int, bias: Tensor | None, *, first_only: bool) -> Tensor:
    """What the tokens of a group see, [count*length, H]; none is masked, all have the same length.

    In float32: on a CPU torch's fused attention is slower in bfloat16, the conversions included.
    """
    n, length, width = group.count, group.length, qkv.shape[1]
    parts = qkv[group.start : group.stop].float().view(n, length, 3, heads, width // (3 * heads))
    q, key, value = parts.permute(2, 0, 3, 1, 4)
    if first_only:
        q = q[:, :, :1]
    mask = None if bias is None else bias[:, : q.shape[2], :length]
    out = F.scaled_dot_product_attention(q, key, value, attn_mask=mask)
    return out.transpose(1, 2).reshape(-1, width // 3).to(qkv.dtype)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
