"""Sizes of a run: for a GPU, and tiny for a machine without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch

from phalanx_grid import Geometry, Grid
from phalanx_grid.execution import Executor, Stacked, make_executor
from phalanx_grid.execution.cuda.capture import CudaRecorder, Recorder, Rerun
from phalanx_grid.execution.cuda.compiled import compiled
from phalanx_grid.execution.cuda.devices import avoid_cudnn_attention
from phalanx_grid.execution.cuda.graphs import Bounds, Graphs
from phalanx_grid.execution.cuda.grouped import Grouped
from phalanx_grid.execution.cuda.streams import Streams
from phalanx_grid.execution.cuda.varlen import Varlen, one_by_one

Make = Callable[[Grid], Executor]
LABELS: Final = tuple("abcdef")
STUDENT_ROWS: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """All sizes. `teachers` are geometries of one student, by name; their width is that of the students beside them."""

    device: torch.device
    dtype: torch.dtype
    total_s: float
    teachers: Mapping[str, Geometry]
    ensembles: tuple[int, ...]
    cuts: tuple[int, ...]
    """Numbers of students whose latency is measured: the ensembles', and what a burst leaves of them."""
    lengths: tuple[int, ...]
    rounds: int
    executors: Mapping[str, Make]
    """By name; graphs are captured at a shape's first batch, so that only what is measured is captured."""
    prepared: Callable[[Grid], Graphs]
    """Graphs as a server has them after its warm-up."""
    shapes: tuple[tuple[int, int], ...]
    """Texts by tokens at which executors are compared."""
    compile_backend: str
    compile_s: Mapping[str, float]
    """Time that torch.compile needs for one length of a teacher, or for `rows`: with less left it is not begun."""
    compile_lengths: Mapping[str, tuple[int, ...]]
    """At which of the lengths each teacher is compiled: all would take longer than everything else."""
    cudnn: bool
    """Whether torch's fused attention would take cuDNN's kernels by default: transformers has it as its users do."""
    texts: int
    """Texts of the throughput run."""
    window: int
    """Among so many of them those of like length are put together."""
    batch_texts: tuple[int, ...]
    triad_numbers: int
    matrix_size: int
    limit_rounds: int

    @property
    def real(self) -> bool:
        """Whether this measures anything."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """Until the device is done."""
        if self.real:
            torch.cuda.synchronize(self.device)

    def ensemble(self, name: str, students: int | None = None) -> Geometry:
        """Students of two rows as wide as a teacher."""
        return self.teachers[name].replace(students=students or max(self.ensembles), rows=STUDENT_ROWS)


def bert(*, rows: int, hidden: int, heads: int, vocab: int = 30522, positions: int = 512) -> Geometry:
    """BERT's proportions."""
    return Geometry(
        family="bert", students=1, rows=rows, hidden=hidden, heads=heads, ffn=4 * hidden, vocab=vocab,
        max_positions=positions, type_vocab=2, pooling="cls", pooler=True, classes=len(LABELS),
    )  # fmt: skip


def gpu(device: torch.device) -> Scale:
    """BERT-base and BERT-large (arXiv 1810.04805, section 3) on a CUDA device.

    Of the lengths 16, 64 and 128 have a graph of their own; 22, the mean of real texts, and 100 are padded to one.
    """
    cudnn = torch.backends.cuda.cudnn_sdp_enabled()
    avoid_cudnn_attention()
    make: dict[str, Make] = {name: partial(make_executor, device=device, name=name) for name in _MADE_AT_ONCE}
    make["graphs"] = lambda grid: _graphs(grid, CudaRecorder(device))
    make["compiled"] = lambda grid: _compiled(grid, CudaRecorder(device), "inductor")
    return Scale(
        device=device, dtype=torch.bfloat16, total_s=440.0,
        teachers={"base": bert(rows=12, hidden=768, heads=12), "large": bert(rows=24, hidden=1024, heads=16)},
        ensembles=(4, 6, 8), cuts=(1, 2, 4, 6, 8), lengths=(16, 22, 64, 100, 128), rounds=300,
        executors=make, prepared=lambda grid: _prepared(grid, CudaRecorder(device)),
        shapes=((1, 16), (1, 128), (8, 32), (64, 64)),
        compile_backend="inductor", compile_s={"base": 40.0, "large": 75.0, "rows": 60.0},
        compile_lengths={"base": (22, 128), "large": (22,)}, cudnn=cudnn,
        texts=4096, window=512, batch_texts=(64, 256), triad_numbers=1 << 28, matrix_size=8192, limit_rounds=20,
    )  # fmt: skip


def dry() -> Scale:
    """Stand-ins on the CPU, in float32."""
    make: dict[str, Make] = {
        "stacked": Stacked, "graphs": lambda grid: _graphs(grid, Rerun()), "streams": Streams, "grouped": Grouped,
        "varlen": lambda grid: Varlen(grid, one_by_one), "compiled": lambda grid: _compiled(grid, Rerun(), "eager"),
    }  # fmt: skip
    small = {"vocab": 100, "positions": 64}
    return Scale(
        device=torch.device("cpu"), dtype=torch.float32, total_s=40.0,
        teachers={
            "base": bert(rows=3, hidden=32, heads=2, **small), "large": bert(rows=4, hidden=48, heads=3, **small),
        },
        ensembles=(2, 3), cuts=(1, 2, 3), lengths=(8, 11, 16), rounds=5,
        executors=make, prepared=lambda grid: _prepared(grid, Rerun()), shapes=((1, 8), (4, 16)),
        compile_backend="eager", compile_s={"base": 0.5, "large": 0.5, "rows": 0.5},
        compile_lengths={"base": (8, 16), "large": (11,)}, cudnn=torch.backends.cuda.cudnn_sdp_enabled(),
        texts=48, window=16, batch_texts=(8, 16), triad_numbers=1 << 16, matrix_size=64, limit_rounds=3,
    )  # fmt: skip


_MADE_AT_ONCE: Final = ("stacked", "streams", "grouped", "varlen")
_AT_FIRST: Final = Bounds(asks=1)


def _graphs(grid: Grid, recorder: Recorder) -> Executor:
    return Graphs(grid, recorder, otherwise=Stacked(grid), bounds=_AT_FIRST)


def _compiled(grid: Grid, recorder: Recorder, backend: str) -> Executor:
    fused = compiled(grid, backend=backend)
    return Graphs(fused, recorder, otherwise=Stacked(fused), bounds=_AT_FIRST, name="compiled")


def _prepared(grid: Grid, recorder: Recorder) -> Graphs:
    executor = Graphs(grid, recorder, otherwise=Stacked(grid))
    executor.prepare()
    return executor
