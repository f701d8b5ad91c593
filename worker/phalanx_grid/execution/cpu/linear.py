"""One student's linear layer, its weight laid out for the CPU's matrix kernels once instead of at every call."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from phalanx_grid.stacked import StackedLinear

Linear = Callable[[Tensor], Tensor]
"""[T, in] to [T, out]."""

Prepare = Callable[[StackedLinear, int, bool], Linear]
"""Student m of a stacked layer; the flag asks for GELU behind it."""


def blocked(layer: StackedLinear, student: int, gelu: bool) -> Linear:
    """In the grid's number format, GELU fused in.

    oneDNN blocks the weight; the blocks are a copy of it, of the same size. torch keeps the operators private, but its
    compiler emits them and this project pins torch exactly. Where torch has no oneDNN, the layer works on the weight.
    """
    weight, bias = layer.weight[student].detach(), layer.bias[student].detach()
    if not torch._C._has_mkldnn:
        return lambda x: F.gelu(F.linear(x, weight, bias)) if gelu else F.linear(x, weight, bias)
    blocks = torch.ops.mkldnn._reorder_linear_weight(weight)
    run, then = torch.ops.mkldnn._linear_pointwise.default, "gelu" if gelu else "none"

    def linear(x: Tensor) -> Tensor:
        out: Tensor = run(x, blocks, bias, then, [], "none")
        return out

    return linear


def eight_bits(layer: StackedLinear, student: int, gelu: bool) -> Linear:
    """Weights of 8 bits with a scale for each output; states are quantised at every call, with one scale.

    Products are summed in integers and given back in the states' own format.
    """
    weight, bias = layer.weight[student].detach().float(), layer.bias[student].detach().float()
    scales = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    with warnings.catch_warnings():
        # A later torch will drop quantised tensors; the release that is pinned has no other way into this operator.
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
        codes = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(codes, bias)
    run, narrow = torch.ops.quantized.linear_dynamic.default, not torch.cpu._is_vnni_supported()

    def linear(x: Tensor) -> Tensor:
        # without VNNI sums of two products of 8 bits overflow 16: states get 7
        out: Tensor = run(x.float(), packed, narrow)
        return (F.gelu(out) if gelu else out).to(x.dtype)

    return linear
