"""Rows through torch.compile: fewer, fused kernels between the matrix products."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Final

import torch

from phalanx_grid.batch import Batch
from phalanx_grid.cell import Row
from phalanx_grid.execution.cuda.capture import CudaRecorder
from phalanx_grid.execution.cuda.graphs import Bounds, Graphs, prepared
from phalanx_grid.execution.executor import Executor
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.twin import twin
from phalanx_grid.geometry import Geometry
from phalanx_grid.grid import Grid

_WARM_UP_S: Final = 120.0
"""Most of it is compiling."""

_PROGRAMS: Final = 192
"""That torch.compile makes of a row for all models of a process. A model has up to 24; beyond 8 it would go on without
compiling unless told otherwise, and beyond 256 whatever it is told."""

_LENGTH: Final = 23
"""Tokens that variants are met with. Sizes that happen to be equal are taken for one, so that this is a prime."""

Backend = str | Callable[..., object]


def compiled(grid: Grid, *, backend: Backend = "inductor") -> Grid:
    """A grid of the same weights whose rows are compiled at their first use, once for all shapes.

    Sizes are symbols: one program serves many rows and batches. Variants remain: first row, last row and those between,
    one student or several, one text or several, with a mask or without. `meet_variants` makes them all.
    """
    result = twin(grid)
    for row in result.rows:
        assert isinstance(row, Row)
        row.compile(dynamic=True, backend=backend, recompile_limit=_PROGRAMS)
    return result


def meet_variants(executor: Executor, geometry: Geometry, *, limit_s: float) -> None:
    """Run a batch of each kind, so that none is compiled while a request waits. No batch is begun after `limit_s`."""
    begin_s, length = time.monotonic(), min(_LENGTH, geometry.max_tokens)
    several = 5 if geometry.students != 5 else 7
    for full, texts, students in product((False, True), (1, several), sorted({1, geometry.students})):
        if time.monotonic() - begin_s > limit_s:
            return
        mask = (torch.arange(length) < (length if full else length - 1)).repeat(texts, 1)
        batch = Batch(torch.full((texts, length), geometry.pad_id), mask, full=full)
        for _ in executor.steps(batch, students=students):
            pass


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry: by graph like `graphs`, and large batches through the compiled rows too."""
    fused, begin_s = compiled(grid), time.monotonic()
    stacked = Stacked(fused)
    meet_variants(stacked, grid.geometry, limit_s=_WARM_UP_S)
    bounds = Bounds()
    bounds = replace(bounds, warm_up_s=max(_WARM_UP_S - (time.monotonic() - begin_s), bounds.warm_up_s))
    return prepared(Graphs(fused, CudaRecorder(device), otherwise=stacked, bounds=bounds, name="compiled"))
