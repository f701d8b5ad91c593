"""The worker on a device of constant speed: `python -m tests.e2e.paced serve`.

Everything is the worker's own: protocols, admission, batching, burst guard, measured capacity, metrics. Only each batch
takes as long as a device would that computes `TOKENS_PER_S` for one student, and leaves the CPU alone meanwhile. So a
load that is more than a worker can do is some dozens of requests a second, and the machine that runs the tests is not
what they measure.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, cast

import torch

from phalanx_cli.main import main
from phalanx_grid import AdapterTable, Batch, FinalStep, Grid, RampStep
from phalanx_grid.execution import Executor, registry

LAUNCH_S: Final = 0.002
"""What a batch takes, however small it is."""
TOKENS_PER_S: Final = 5000.0
"""By one student; k students compute a k-th of that."""


@dataclass(frozen=True, slots=True)
class Paced:
    """An executor that gives another one's answers, and none before a device of constant speed would."""

    inner: Executor

    @property
    def name(self) -> str:
        """The other one's."""
        return self.inner.name

    @property
    def tolerance(self) -> float:
        """The other one's."""
        return self.inner.tolerance

    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """The other one's steps, the last of them when the time is over."""
        due_s = time.perf_counter() + LAUNCH_S + batch.ids.numel() * students / TOKENS_PER_S
        for step in self.inner.steps(batch, students=students, adapters=adapters, ramp_rows=ramp_rows):
            if isinstance(step, FinalStep):
                time.sleep(max(due_s - time.perf_counter(), 0.0))
            yield step


def _paced(build: registry.Build) -> registry.Build:
    def paced(grid: Grid, device: torch.device, threads: int) -> Executor:
        return Paced(build(grid, device, threads))

    return paced


if __name__ == "__main__":
    # Whichever executor the worker chooses: the image alone says that it is paced.
    executors = cast(dict[str, registry.Build], registry.EXECUTORS)
    executors.update({name: _paced(build) for name, build in executors.items()})
    main(prog_name="phalanx")
