"""What runs a batch: one interface, so that alternatives can be compared and the winner be chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Protocol

import torch

from phalanx_grid.batch import Batch
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable

TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 4e-2}
"""Rounding alone, by number format, as `Executor.tolerance` counts it."""


def rounding(grid: Grid) -> float:
    """The tolerance of a grid's own number format.

    Raises:
        ValueError: executors do not compute in that format.
    """
    dtype = grid.embeddings.word.dtype
    if dtype not in TOLERANCES:
        raise ValueError(f"the grid is in {dtype}: cast it to float32 or bfloat16")
    return TOLERANCES[dtype]


class Executor(Protocol):
    """Runs the first k students of one grid over a batch. Used by one thread at a time."""

    @property
    def name(self) -> str:
        """As the setting `execution` spells it."""
        ...

    @property
    def tolerance(self) -> float:
        """Largest difference of an answer's logit from the fp32 answer of that text alone, over its largest |logit|."""
        ...

    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """Answers as `Grid.steps` gives them, in the same order.

        The batch may be on the host: the executor takes it to where it computes.
        """
        ...
