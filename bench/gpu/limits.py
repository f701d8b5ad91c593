"""What this device does at best, measured here: data sheets promise more."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

from bench.gpu.scale import Scale
from bench.gpu.timing import interleaved
from bench.gpu.watch import Part
from bench.gpu.work import Limits
from bench.record import Figure

_REPEATS = 10
"""Calls in one measurement: a launch is then small beside the work."""


def measure(scale: Scale, part: Part) -> tuple[Limits, dict[str, Figure]]:
    """Triad a = b + s * c (STREAM, McCalpin 1995) over arrays beyond every cache, and a product of large matrices."""
    numbers, size = scale.triad_numbers, scale.matrix_size
    b, c = (torch.rand(numbers, device=scale.device, dtype=scale.dtype) for _ in range(2))
    a = torch.empty_like(b)
    left, right = (torch.rand(size, size, device=scale.device, dtype=scale.dtype) for _ in range(2))
    product = torch.empty_like(left)
    calls = {
        "triad": _repeated(scale, lambda: torch.add(b, c, alpha=0.5, out=a)),
        "product": _repeated(scale, lambda: torch.mm(left, right, out=product)),
    }
    for call in calls.values():
        call()
    seconds = interleaved(calls, part.rounds("limits", scale.limit_rounds))
    moved, flops = 3.0 * numbers * b.element_size() * _REPEATS, 2.0 * size**3 * _REPEATS
    best = Limits(flops_per_s=flops / min(seconds["product"]), bytes_per_s=moved / min(seconds["triad"]))
    return best, {
        "limit:bandwidth": _figure(moved / 1e9, seconds["triad"], "GB/s"),
        "limit:matrix_rate": _figure(flops / 1e12, seconds["product"], "TFLOP/s"),
    }


def _repeated(scale: Scale, call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(_REPEATS):
            call()
        scale.wait()

    return run


def _figure(amount: float, seconds: list[float], unit: str) -> Figure:
    """The best, which is the limit; low is the median."""
    best = amount / min(seconds)
    return Figure(value=best, low=amount / statistics.median(seconds), high=best, unit=unit)
