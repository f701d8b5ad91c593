"""The machine in words, for figures that depend on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine(device: torch.device) -> str:
    """Processor or accelerator, cores and memory; no host name."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        model = next((value.strip() for name, _, value in lines if name.strip() == "model name"), model)
    host = f"{model}, {os.cpu_count()} cores, {platform.system()}"
    return f"{torch.cuda.get_device_name(device)} in {host}" if device.type == "cuda" else host
