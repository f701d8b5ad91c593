"""All parts in order, and what is made of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from rich.console import Console

from bench.gpu import alternatives, equality, latency, limits, memory, plots, throughput
from bench.gpu.driver import unseen
from bench.gpu.report import show
from bench.gpu.scale import Scale, dry, gpu
from bench.gpu.watch import Watch
from bench.gpu.work import Limits
from bench.record import Figure, write

SHARES: Final = {
    "limits": 6, "equality": 76, "alternatives": 76, "latency base": 106, "latency large": 108, "throughput": 42,
    "memory": 26,
}  # fmt: skip
"""Seconds of a GPU's run. Programs that `equality` compiles serve `alternatives` too."""
TRIALS: Final = Path(__file__).parents[2] / ".cache" / "bench"
"""Where a run without a GPU writes: nothing here is committed, or read by the documentation."""


def run() -> Path:
    """Measure on the first CUDA device, or run it all in small on the CPU.

    Raises:
        SystemExit: the driver has a GPU that torch does not see; or, after all is measured and written, an executor was
            further from float32 than it promises.
    """
    if problem := unseen():
        raise SystemExit(problem)
    scale = gpu(torch.device("cuda", torch.cuda.current_device())) if torch.cuda.is_available() else dry()
    console = Console()
    if not scale.real:
        console.print("[bold yellow]torch finds no CUDA device: a dry run on the CPU, whose figures mean nothing")
    watch = Watch(SHARES, total_s=scale.total_s, console=console)
    with watch.progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile, about what it did not capture in other people's models
        figures = measured(scale, watch)
    show(figures, watch.skipped, console)
    path = _written(scale, watch, figures)
    if watch.wrong:
        said = "; ".join(f"{name} {why}" for name, why in watch.wrong.items())
        raise SystemExit(f"{path} is written, but answers are wrong: {said}")
    return path


def _written(scale: Scale, watch: Watch, figures: Mapping[str, Figure]) -> Path:
    """The result with its pictures, and what it lacks."""
    if not scale.real:
        path = write("gpu_dry", figures, folder=TRIALS, skipped=watch.skipped, wrong=watch.wrong)
        plots.draw(path, TRIALS)
        return path
    device = torch.cuda.get_device_name(scale.device)
    path = write("gpu", figures, device=device, skipped=watch.skipped, wrong=watch.wrong)
    plots.draw(path, plots.IMAGES)
    return path


def measured(scale: Scale, watch: Watch) -> Mapping[str, Figure]:
    """The figures of every part, as far as it got."""
    figures: dict[str, Figure] = {}
    reached: Limits | None = None
    with watch.part("limits") as part:
        reached, found = limits.measure(scale, part)
        figures |= found
    with watch.part("equality") as part:
        figures |= equality.measure(scale, part)
    with watch.part("alternatives") as part:
        figures |= alternatives.measure(scale, part)
    for size in scale.teachers:
        with watch.part(f"latency {size}") as part:
            figures |= latency.measure(scale, part, size, reached)
    with watch.part("throughput") as part:
        figures |= throughput.measure(scale, part, reached)
    with watch.part("memory") as part:
        figures |= memory.measure(scale, part)
    return figures
