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
    compiler emits them and this project pins torch exactly. Where torch has no oneDNN, or oneDNN has no kernels of this
    format for the processor, the layer works on the weight.
    """
    weight, bias = layer.weight[student].detach(), layer.bias[student].detach()
    blocks = _blocks(weight)
    if blocks is None:
        return lambda x: F.gelu(F.linear(x, weight, bias)) if gelu else F.linear(x, weight, bias)
    run, then = torch.ops.mkldnn._linear_pointwise.default, "gelu" if gelu else "none"

    def linear(x: Tensor) -> Tensor:
        out: Tensor = run(x, blocks, bias, then, [], "none")
        return out

    return linear


def _blocks(weight: Tensor) -> Tensor | None:
    """The weight in oneDNN's own layout, None if it cannot be had."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    try:
        blocks: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)
    except (RuntimeError, AttributeError):  # the processor lacks the format, or the build the operator
        return None
    return blocks


def eight_bits(layer: StackedLinear, student: int, gelu: bool) -> Linear:
    """Weights of 8 bits with a scale for each output; states are quantised at every call, with one scale.

    Products are summed in integers and given back in the states' own format.

    Raises:
        ValueError: torch was built without kernels for 8 bits.
    """
    if torch.backends.quantized.engine == "none":
        raise ValueError("torch has no kernels for 8 bits on this machine; use auto")
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
