"""Who takes part."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import torch

from bench.executors.runtimes import Call, runtimes
from bench.executors.scale import Encoder
from phalanx_grid import Batch, FinalStep, Geometry, Grid, cast
from phalanx_grid.execution import Executor, make_executor

STUDENTS, ROWS = 4, 2
FORMATS: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}
OURS: Final = ("stacked", "packed", "threads")


@dataclass(frozen=True, slots=True)
class Cell:
    """What is run: an encoder's shape on so many threads, with so many students."""

    encoder: Encoder
    texts: int
    length: int
    threads: int
    students: int

    def __str__(self) -> str:
        return f"{self.encoder.name}:n{self.texts}:s{self.length}:t{self.threads}:k{self.students}"


def contenders(cell: Cell, folder: Path) -> Mapping[str, Call]:
    """What is timed, by name and number format; `folder` keeps exported graphs."""
    batch = _batch(cell)
    calls: dict[str, Call] = {}
    for form in FORMATS:
        ensemble = _ensemble(cell.encoder, form)
        for name in OURS:
            executor = make_executor(ensemble, device="cpu", name=name, threads=cell.threads)
            calls[f"{name}_{form}"] = _call(executor, batch, cell.students)
        teacher = make_executor(_teacher(cell.encoder, form), device="cpu", threads=cell.threads)
        calls[f"teacher_{form}"] = _call(teacher, batch, 1)
    plain = _ensemble(cell.encoder, "fp32")
    eight_bits = make_executor(plain, device="cpu", name="int8", threads=cell.threads)
    calls["int8_int8"] = _call(eight_bits, batch, cell.students)
    others = runtimes(plain, cell.students, threads=cell.threads, folder=folder)
    return calls | {name: runtime(batch) for name, runtime in others.items()}


def _call(executor: Executor, batch: Batch, students: int) -> Call:
    def call() -> torch.Tensor:
        *_, final = executor.steps(batch, students=students)
        assert isinstance(final, FinalStep)
        return torch.stack(final.logits)

    return call


def _batch(cell: Cell) -> Batch:
    dice = random.Random(0)
    lengths = [cell.length, *(dice.randint(cell.length // 2, cell.length) for _ in range(cell.texts - 1))]
    return Batch.pad([[dice.randrange(1000, 30000) for _ in range(length)] for length in lengths], 0)


@cache
def _ensemble(encoder: Encoder, form: str) -> Grid:
    return _grid(encoder, STUDENTS, ROWS, form)


@cache
def _teacher(encoder: Encoder, form: str) -> Grid:
    return _grid(encoder, 1, encoder.teacher_rows, form)


def _grid(encoder: Encoder, students: int, rows: int, form: str) -> Grid:
    geometry = Geometry(
        family="bert", students=students, rows=rows, hidden=encoder.hidden, heads=encoder.heads,
        ffn=4 * encoder.hidden, vocab=30522, max_positions=512, type_vocab=2, pooling="mean", classes=6,
    )  # fmt: skip
    return cast(Grid.from_geometry(geometry, tuple("abcdef")).eval(), FORMATS[form])
