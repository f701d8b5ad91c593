"""The number format to compute in."""

from __future__ import annotations

import pytest
import torch

from phalanx_grid import Batch, cast, compute_dtype
from tests.grid.builders import make_grid


@pytest.mark.parametrize(("avx", "amx", "expected"), [(True, False, torch.bfloat16), (False, False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_only_where_it_does_so_natively(
    avx: bool, amx: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert compute_dtype("cpu") is expected


def test_a_grid_of_any_format_reads_out_in_float32_after_a_cast() -> None:
    grid = make_grid()
    batch = Batch.pad([[5, 6, 7]], grid.geometry.pad_id)
    expected = [step.logits for step in grid.steps(batch, students=3)][-1]
    narrow = cast(grid.half(), torch.float32)
    assert {tensor.dtype for tensor in narrow.state_dict().values()} == {torch.float32}
    answers = [step.logits for step in narrow.steps(batch, students=3)][-1]
    assert torch.allclose(answers[0], expected[0], atol=1e-2, rtol=1e-2)
