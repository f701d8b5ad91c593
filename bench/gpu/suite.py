"""All parts in order, and what is made of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from rich.console import Console

from bench.gpu import alternatives, equality, latency, limits, memory, plots, throughput
from bench.gpu.report import show
from bench.gpu.scale import Scale, dry, gpu
from bench.gpu.watch import Watch
from bench.record import Figure, write

SHARES: Final = {
    "limits": 2, "equality": 16, "latency base": 28, "latency large": 28, "alternatives": 14, "throughput": 8,
    "memory": 6,
}  # fmt: skip
TRIALS: Final = Path(__file__).parents[2] / ".cache" / "bench"
"""Where a run without a GPU writes: nothing here is committed, or read by the documentation."""


def run() -> Path:
    """Measure on the first CUDA device, or run it all in small on the CPU."""
    scale, console = gpu() if torch.cuda.is_available() else dry(), Console()
    if not scale.real:
        console.print("[bold yellow]torch finds no CUDA device: a dry run on the CPU, whose figures mean nothing")
    watch = Watch(SHARES, total_s=scale.total_s, console=console)
    with watch.progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile, about what it did not capture in other people's models
        figures = measured(scale, watch)
    show(figures, watch.skipped, console)
    if not scale.real:
        TRIALS.mkdir(parents=True, exist_ok=True)
        path = write("gpu_dry", figures, folder=TRIALS)
        plots.draw(path, TRIALS)
        return path
    path = write("gpu", figures, device=torch.cuda.get_device_name(scale.device))
    plots.draw(path, plots.IMAGES)
    return path


def measured(scale: Scale, watch: Watch) -> Mapping[str, Figure]:
    """The figures of every part."""
    figures: dict[str, Figure] = {}
    with watch.part("limits") as part:
        reached, found = limits.measure(scale, part)
        figures |= found
    with watch.part("equality") as part:
        figures |= equality.measure(scale, part)
    for size in scale.teachers:
        with watch.part(f"latency {size}") as part:
            figures |= latency.measure(scale, part, size, reached)
    with watch.part("alternatives") as part:
        figures |= alternatives.measure(scale, part)
    with watch.part("throughput") as part:
        figures |= throughput.measure(scale, part, reached)
    with watch.part("memory") as part:
        figures |= memory.measure(scale, part)
    return figures
