"""Executors by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch

from phalanx_grid.execution import stacked
from phalanx_grid.execution.choose import winner
from phalanx_grid.execution.cpu import packed
from phalanx_grid.execution.cuda import compiled, graphs, grouped, streams, varlen
from phalanx_grid.execution.cuda.devices import avoid_cudnn_attention
from phalanx_grid.execution.executor import Executor
from phalanx_grid.grid import Grid

Build = Callable[[Grid, torch.device, int], Executor]
"""Makes an executor for a grid on a device that it is for, with a number of CPU threads; raises ValueError if it cannot
be used."""

AUTO: Final = "auto"
EXECUTORS: Final[Mapping[str, Build]] = {
    "stacked": stacked.build,
    "packed": packed.build_packed,
    "threads": packed.build_threads,
    "int8": packed.build_int8,
    "graphs": graphs.build,
    "compiled": compiled.build,
    "streams": streams.build,
    "grouped": grouped.build,
    "varlen": varlen.build,
}
SETTING: Final = "PHALANX_WORKER_EXECUTION"


CPU_ONLY: Final = frozenset({"packed", "threads", "int8"})
CUDA_ONLY: Final = frozenset({"graphs", "compiled", "streams", "grouped", "varlen"})


def check_name(name: str, *, device: str) -> None:
    """Refuse a name that no executor for a type of device has, before anything is loaded.

    Raises:
        ValueError: the setting is named.
    """
    if name != AUTO and name not in EXECUTORS:
        raise ValueError(f"{SETTING}: no executor {name!r}; there are {', '.join([AUTO, *EXECUTORS])}")
    if name in (CUDA_ONLY if device == "cpu" else CPU_ONLY):
        kind = "CUDA devices" if name in CUDA_ONLY else "CPUs"
        raise ValueError(f"{SETTING}: {name} is for {kind}, and grids run on {device} here; use auto")


def make_executor(grid: Grid, *, device: torch.device | str, name: str = AUTO, threads: int = 0) -> Executor:
    """The executor of a name for a grid that is on `device`, prepared; it takes the grid's number format.

    `threads` are the CPU threads that one pass may use, 0 for torch's setting in this thread.

    Raises:
        ValueError: an unknown name, or one that this device or installation cannot serve; the setting is named.
    """
    place = torch.device(device)
    check_name(name, device=place.type)
    if place.type == "cuda":
        avoid_cudnn_attention()
    try:
        return EXECUTORS[winner(place.type) if name == AUTO else name](grid, place, threads or torch.get_num_threads())
    except (ValueError, ImportError) as error:
        raise ValueError(f"{SETTING}: {name} cannot be used here: {error}") from error
