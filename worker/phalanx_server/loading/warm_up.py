"""Measuring what each number of students costs, before the first request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from phalanx_contract.worker import LoadReason
from phalanx_grid import Batch, FinalStep, Geometry
from phalanx_grid.execution import Executor
from phalanx_server.batching.capacity import Capacity, Cost, fit
from phalanx_server.loading.failure import LoadFailure

_SMALL: Final = (1, 16)
_LARGE_CPU: Final = (16, 32)
_LARGE_CUDA: Final = (64, 128)
"""Texts by tokens. Large enough that arithmetic outweighs launches, small enough for a start within seconds."""

_MEASURE_ALL: Final = 8
"""Up to this many students each count is measured; beyond it some are, and those between are interpolated."""

_REPEATS: Final = 2


@dataclass(frozen=True, slots=True)
class Passes:
    """Passes of a grid through its executor, to be timed."""

    executor: Executor
    geometry: Geometry
    device: str

    def seconds(self, students: int, size: tuple[int, int]) -> float:
        """Of one pass of texts by tokens, the wait for the device included."""
        texts, length = size
        ids = [index % self.geometry.vocab for index in range(min(length, self.geometry.max_tokens))]
        batch = Batch.pad([ids] * texts, self.geometry.pad_id).to(self.device)
        start_s = time.perf_counter()
        for _ in self.executor.steps(batch, students=students):
            pass
        if self.device != "cpu":
            # Of this stream alone: the whole device cannot be waited for while another loader captures graphs.
            torch.cuda.current_stream().synchronize()
        return time.perf_counter() - start_s


def measure(passes: Passes, *, batch_tokens: int) -> Capacity:
    """Time small and large passes for every number of students. `batch_tokens` is the size in which a queue drains."""
    total = passes.geometry.students
    large = _LARGE_CPU if passes.device == "cpu" else _LARGE_CUDA
    passes.seconds(total, large)
    counts = range(1, total + 1) if total <= _MEASURE_ALL else sorted({1, 2, 4, 8, total})
    measured = {count: _cost(passes, count, large) for count in counts}
    costs = tuple(_between(measured, count) for count in range(1, total + 1))
    return Capacity(costs, batch_tokens=batch_tokens)


def check_finite(passes: Passes, ids: Sequence[int]) -> None:
    """Run one text through all students.

    Raises:
        LoadFailure: what comes out are no finite numbers, as of weights from a training that diverged. To serve them
            would look like a broken device.
    """
    batch = Batch.pad([list(ids)], passes.geometry.pad_id).to(passes.device)
    for step in passes.executor.steps(batch, students=passes.geometry.students):
        if isinstance(step, FinalStep):
            numbers = (step.pooled, *step.logits)
            if not all(bool(torch.isfinite(each).all()) for each in numbers):
                message = "it computes numbers that are not finite; train it again, or save it in a wider number format"
                raise LoadFailure(LoadReason.ARTIFACT_UNSUPPORTED, message, field="spec.artifact")


def _cost(passes: Passes, students: int, large: tuple[int, int]) -> Cost:
    times = {size: min(passes.seconds(students, size) for _ in range(_REPEATS)) for size in (_SMALL, large)}
    return fit(small=(_SMALL[0] * _SMALL[1], times[_SMALL]), large=(large[0] * large[1], times[large]))


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
