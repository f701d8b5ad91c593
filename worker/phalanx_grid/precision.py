"""Which number format to compute in."""

from __future__ import annotations

import torch

from phalanx_grid.grid import Grid


def compute_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """bfloat16 where the device multiplies it natively (AVX512_BF16, AMX, recent CUDA), else float32.

    On a CPU without it bfloat16 is emulated and slower than float32.
    """
    if torch.device(device).type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def cast(grid: Grid, dtype: torch.dtype) -> Grid:
    """Convert the encoder of a grid in place. Readout, ramps and boosting weights are float32 whatever is asked.

    They are tiny, and sums over students would lose most to rounding there.
    """
    for module in (grid.embeddings, grid.relative, grid.rows):
        if module is not None:
            module.to(dtype)
    grid.readout.float()
    if grid.ramps is not None:
        grid.ramps.float()
    grid.weights = grid.weights.float()
    return grid
