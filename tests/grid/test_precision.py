"""The number format to compute in."""

from __future__ import annotations

import pytest
import torch

from phalanx_grid import compute_dtype


@pytest.mark.parametrize(("avx", "amx", "expected"), [(True, False, torch.bfloat16), (False, False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_only_where_it_does_so_natively(
    avx: bool, amx: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert compute_dtype("cpu") is expected
