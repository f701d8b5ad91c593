"""What attention is told about keys, in a form that fused kernels take."""

from __future__ import annotations

import pytest
import torch

from phalanx_grid import Batch, Geometry
from phalanx_grid.attention import attention_bias
from tests.grid.builders import MPNET, geometry, make_grid


@pytest.mark.parametrize("shape", [geometry(students=4), geometry(students=4, **MPNET)], ids=["bert", "mpnet"])
@pytest.mark.parametrize("full", [True, False], ids=["full", "padded"])
@pytest.mark.parametrize("texts", [1, 2])
@pytest.mark.parametrize("k", [1, 4])
def test_keys_lie_side_by_side_as_fused_attention_on_cuda_demands(
    shape: Geometry, full: bool, texts: int, k: int
) -> None:
    grid, length = make_grid(shape), 8
    mask = (torch.arange(length) < (length if full else length - 3)).repeat(texts, 1)
    bias = attention_bias(Batch(torch.full((texts, length), 2), mask, full=full), k, grid.relative)
    if bias is None:
        assert shape.family == "bert"
        assert full
        return
    assert bias.stride(-1) == 1
    if bias.is_floating_point():
        assert bias.shape == (k * texts, shape.heads, length, length)
        assert bias.to(torch.bfloat16).stride(-1) == 1
