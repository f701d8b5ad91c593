"""Where training computes, and at which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import torch

from phalanx_distill.errors import SettingError
from phalanx_grid import compute_dtype

_PRECISIONS: Final[dict[str, torch.dtype | None]] = {"auto": None, "fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Compute:
    """A device and the type that matrix products run in; parameters and sums stay in fp32."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, device: str, precision: str = "auto") -> Compute:
        """`device` is auto, cpu or cuda. `precision` is fp32, bf16, or auto: bf16 where the device has it in hardware.

        Raises:
            SettingError: there is no such device or precision.
        """
        if precision not in _PRECISIONS:
            raise SettingError("precision", f"{precision!r} is none of {', '.join(_PRECISIONS)}")
        if device not in ("auto", "cpu", "cuda"):
            raise SettingError("device", f"{device!r} is none of auto, cpu, cuda")
        if device == "cuda" and not torch.cuda.is_available():
            raise SettingError("device", "no CUDA device is visible; use cpu")
        found = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        return cls(device=found, dtype=_PRECISIONS[precision] or compute_dtype(found))

    def autocast(self) -> AbstractContextManager[object]:
        """The context of every forward pass."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def exact(self) -> Compute:
        """The same device at fp32."""
        return Compute(device=self.device, dtype=torch.float32)
