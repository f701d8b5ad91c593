"""Which keys each query may see, and how much: the mask and bias of one batch, made once for all rows."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from phalanx_grid.batch import Batch
from phalanx_grid.relative import RelativeBias


def attention_bias(batch: Batch, k: int, relative: RelativeBias | None) -> Tensor | None:
    """The `attn_mask` for `attend`, or None where there is nothing to say.

    Bool [k*N, 1, 1, S] for padding alone; float [k*N, heads, S, S] with relative positions.
    """
    n, length = batch.ids.shape
    keys = None if batch.full else batch.mask[:, None, None, :]
    if relative is None:
        return keys if keys is None else keys.repeat(k, 1, 1, 1)
    bias: Tensor = relative(length, k)
    if keys is None:
        return bias.unsqueeze(1).expand(k, n, *bias.shape[1:]).flatten(0, 1)
    return bias.unsqueeze(1).masked_fill(~keys, float("-inf")).flatten(0, 1)


def attend(
    qkv: Tensor, bias: Tensor | None, *, shape: tuple[int, int, int], dropout: float, first_only: bool = False
) -> Tensor:
    """Multi-head attention of every student and sequence in one call.

    `qkv` is [k, N*S, 3*H], `shape` is (N, S, heads). Returns [k, N*S, H]; with `first_only`, what the
    first tokens alone see, [k, N, H].
    """
    n, length, heads = shape
    k, _, width = qkv.shape
    q, key, value = qkv.view(k * n, length, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)
    if first_only:
        q, bias = q[:, :, :1], None if bias is None else bias[:, :, :1]
    if bias is not None and bias.is_floating_point():
        bias = bias.to(q.dtype)
    if q.requires_grad and q.device.type == "cpu":
        # There the fused kernel's backward pass takes many times as long as plain products for short texts.
        with sdpa_kernel(SDPBackend.MATH):
            out = F.scaled_dot_product_attention(q, key, value, attn_mask=bias, dropout_p=dropout)
    else:
        out = F.scaled_dot_product_attention(q, key, value, attn_mask=bias, dropout_p=dropout)
    return out.transpose(1, 2).reshape(k, -1, width // 3)
