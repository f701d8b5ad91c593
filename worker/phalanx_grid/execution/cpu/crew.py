"""Threads that run units of a pass side by side, each with torch's own threads set on purpose."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import torch
from torch import Tensor

from phalanx_grid.execution.cpu.deal import Wave, waves
from phalanx_grid.execution.threads import use_threads

Unit = Callable[[], Tensor]


class Crew:
    """The calling thread and as many more as it takes.

    torch keeps the number of threads of an operator for each calling thread (OpenMP), and inference mode too. ATen's
    operators release the interpreter's lock, so that lanes really run at the same time.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="students") if threads > 1 else None

    def run(self, units: list[Unit]) -> list[Tensor]:
        """What each unit gives, in their order."""
        results: dict[int, Tensor] = {}
        for wave in waves(len(units), self.threads):
            results |= self._wave(wave, units)
        return [results[index] for index in range(len(units))]

    def _wave(self, wave: Wave, units: list[Unit]) -> dict[int, Tensor]:
        others = [
            self._pool.submit(_lane, units, wave.lane(number), wave.threads)
            for number in range(1, wave.width)
            if self._pool is not None
        ]
        before = torch.get_num_threads()
        try:
            results = _lane(units, wave.lane(0), wave.threads)
        finally:
            use_threads(before)
            wait(others)
        for other in others:
            results |= other.result()
        return results


@torch.inference_mode()
def _lane(units: list[Unit], chosen: range, threads: int) -> dict[int, Tensor]:
    use_threads(threads)
    return {index: units[index]() for index in chosen}
