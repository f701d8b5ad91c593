"""Where training computes, and at which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from phalanx_distill.errors import SettingError
from phalanx_grid import compute_dtype


@dataclass(frozen=True, slots=True)
class Compute:
    """A device and the type that matrix products run in; parameters and sums stay in fp32."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, device: str) -> Compute:
        """`auto`, `cpu` or `cuda`; bf16 where the device has it in hardware, fp32 elsewhere.

        Raises:
            SettingError: there is no such device.
        """
        if device not in ("auto", "cpu", "cuda"):
            raise SettingError("device", f"{device!r} is none of auto, cpu, cuda")
        if device == "cuda" and not torch.cuda.is_available():
            raise SettingError("device", "no CUDA device is visible; use cpu")
        found = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        return cls(device=found, dtype=compute_dtype(found))

    def autocast(self) -> AbstractContextManager[object]:
        """The context of every forward pass."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def exact(self) -> Compute:
        """The same device at fp32."""
        return Compute(device=self.device, dtype=torch.float32)
