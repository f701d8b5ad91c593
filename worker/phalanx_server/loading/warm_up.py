"""Measuring what each number of students costs, before the first request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import torch

from phalanx_grid import Batch, Grid
from phalanx_server.batching.capacity import Capacity, Cost, fit

_SMALL: Final = (1, 16)
_LARGE_CPU: Final = (16, 32)
_LARGE_CUDA: Final = (64, 128)
"""Texts by tokens. Large enough that arithmetic outweighs launches, small enough for a start within seconds."""

_MEASURE_ALL: Final = 8
"""Up to this many students each count is measured; beyond it some are, and those between are interpolated."""

_REPEATS: Final = 2


def measure(grid: Grid, *, device: str, batch_tokens: int) -> Capacity:
    """Time small and large passes for every number of students. `batch_tokens` is the size in which a queue drains."""
    total = grid.geometry.students
    large = _LARGE_CPU if device == "cpu" else _LARGE_CUDA
    _timed(grid, total, large, device)
    counts = range(1, total + 1) if total <= _MEASURE_ALL else sorted({1, 2, 4, 8, total})
    measured = {count: _cost(grid, count, large, device) for count in counts}
    costs = tuple(_between(measured, count) for count in range(1, total + 1))
    return Capacity(costs, batch_tokens=batch_tokens)


def _cost(grid: Grid, students: int, large: tuple[int, int], device: str) -> Cost:
    times = {size: min(_timed(grid, students, size, device) for _ in range(_REPEATS)) for size in (_SMALL, large)}
    return fit(small=(_SMALL[0] * _SMALL[1], times[_SMALL]), large=(large[0] * large[1], times[large]))


def _timed(grid: Grid, students: int, size: tuple[int, int], device: str) -> float:
    """Seconds of one pass, the wait for the device included."""
    texts, length = size
    length = min(length, grid.geometry.max_tokens)
    ids = [index % grid.geometry.vocab for index in range(length)]
    batch = Batch.pad([ids] * texts, grid.geometry.pad_id).to(device)
    start_s = time.perf_counter()
    for _ in grid.steps(batch, students=students):
        pass
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start_s


def _between(measured: dict[int, Cost], students: int) -> Cost:
    """The cost of a count that was measured, or between its neighbours, linear in time."""
    if students in measured:
        return measured[students]
    known: Sequence[int] = sorted(measured)
    below = max(count for count in known if count < students)
    above = min(count for count in known if count > students)
    share = (students - below) / (above - below)
    low, high = measured[below], measured[above]
    per_token_s = (1 - share) / low.tokens_per_s + share / high.tokens_per_s
    return Cost(fixed_s=(1 - share) * low.fixed_s + share * high.fixed_s, tokens_per_s=1 / per_token_s)
