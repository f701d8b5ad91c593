"""One student's linear layer, its weight laid out for the CPU's matrix kernels once instead of at every call."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from phalanx_grid.stacked import StackedLinear

Then = Literal["none", "gelu"]


class PackedLinear:
    """Student m of a stacked layer, with what follows it fused in.

    oneDNN blocks the weight; the blocks are a copy of it, of the same size. torch keeps the operators private, but its
    compiler emits them and this project pins torch exactly. Where torch has no oneDNN, the layer works on the weight.
    """

    def __init__(self, layer: StackedLinear, student: int, *, then: Then = "none") -> None:
        self._bias, self._then = layer.bias[student].detach(), then
        self._blocked = torch._C._has_mkldnn
        weight = layer.weight[student].detach()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight) if self._blocked else weight

    def __call__(self, x: Tensor) -> Tensor:
        """[T, in] to [T, out]."""
        if self._blocked:
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, self._then, [], "none")
            return out
        out = F.linear(x, self._weight, self._bias)
        return F.gelu(out) if self._then == "gelu" else out
