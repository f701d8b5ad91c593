"""What an executor asks of the device before it is made."""

from __future__ import annotations

import torch

from phalanx_grid.grid import Grid


def avoid_cudnn_attention() -> None:
    """Keep torch's fused attention from cuDNN's kernels, in the whole process: flash and memory-efficient ones remain.

    On Hopper torch prefers cuDNN, which takes tenths of a second to plan every new shape, in each thread anew, and
    drops no plan. Batches here have a new shape all the time, and a warm-up has hundreds: each would stall the engine.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def need_capability(device: torch.device, major: int) -> None:
    """Refuse a device without the hardware.

    Raises:
        ValueError: its compute capability is lower.
    """
    have = torch.cuda.get_device_capability(device)
    if have < (major, 0):
        raise ValueError(f"it needs compute capability {major}.0, the device has {have[0]}.{have[1]}; use auto")


def need_bf16(grid: Grid) -> None:
    """Refuse another number format.

    Raises:
        ValueError: the grid is not in bfloat16.
    """
    dtype = grid.embeddings.word.dtype
    if dtype is not torch.bfloat16:
        raise ValueError(f"it multiplies bfloat16 alone, the grid is {dtype}; set dtype to bf16, or use auto")
