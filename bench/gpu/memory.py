"""What the warm-up of graphs costs."""

from __future__ import annotations

import time

from bench.gpu.models import random_grid
from bench.gpu.scale import Scale
from bench.gpu.watch import Part
from bench.record import Figure

_MIB = 1 << 20


def measure(scale: Scale, part: Part) -> dict[str, Figure]:
    """Seconds, captured passes and memory of each ensemble's graphs as a server has them before its first request."""
    figures: dict[str, Figure] = {}
    for size in scale.teachers:
        if figures and part.left() < 0:
            part.skip(f"graphs of the {size} ensemble: no time left")
            continue
        with part.attempt(f"graphs of the {size} ensemble"):
            grid, begin_s = random_grid(scale.ensemble(size), scale), time.perf_counter()
            executor = scale.prepared(grid)
            figures[f"warm_up:{size}:seconds"] = _once(time.perf_counter() - begin_s, "s")
            figures[f"warm_up:{size}:passes"] = _once(executor.captured, "passes")
            figures[f"warm_up:{size}:memory"] = _once(executor.memory_bytes / _MIB, "MiB")
    return figures


def _once(value: float, unit: str) -> Figure:
    return Figure(value=value, low=value, high=value, unit=unit)
