"""Who takes part in a cell."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor

from bench.cpu.others import onnx_runtime, transformers
from bench.cpu.subject import Subject
from phalanx_grid import Batch, FinalStep, Grid, cast, compute_dtype
from phalanx_grid.execution import Executor, make_executor

Ids = Sequence[Sequence[int]]
Answer = Callable[[Ids], Tensor]
"""Token ids of a batch to logits [N, C]."""

FORMATS: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """`who` and a number format; `like` is the name of who gives the same answers in fp32 (itself, if it is it).

    `orders` are the ways in which it may take texts while many wait.
    """

    who: str
    form: str
    like: str
    orders: tuple[str, ...]
    answer: Answer

    @property
    def name(self) -> str:
        """In figures."""
        return f"{self.who}_{self.form}"


def own_form() -> str:
    """The number format that this engine takes on this CPU."""
    return next(name for name, dtype in FORMATS.items() if dtype == compute_dtype("cpu"))


def teacher_of(form: str) -> str:
    """The contender that a time in a number format is held against."""
    return f"teacher_{'fp32' if form == 'fp32' else own_form()}"


def contenders(subject: Subject, threads: int) -> list[Contender]:
    """All of them, prepared."""
    return [*ours(subject, threads), *_others(subject, threads)]


def ours(subject: Subject, threads: int) -> Iterator[Contender]:
    """Every k in the engine's own number format; in fp32 (which repeats the picture, slowly) all students alone."""
    made = partial(Contender, orders=("buckets",))
    for form in dict.fromkeys((own_form(), "fp32")):
        for name, grid in subject.ensembles().items():
            executor = _executor(grid, form, threads)
            last = grid.geometry.students
            for k in range(1 if form == own_form() else last, last + 1):
                answer = partial(_in_engine, executor, grid.geometry.pad_id, k)
                yield made(who=f"{name}_k{k}", form=form, like=f"{name}_k{k}_fp32", answer=answer)
        executor = _executor(subject.teacher, form, threads)
        answer = partial(_in_engine, executor, subject.teacher.geometry.pad_id, 1)
        yield made(who="teacher", form=form, like="teacher_fp32", answer=answer)


def _others(subject: Subject, threads: int) -> Iterator[Contender]:
    others = partial(Contender, like="teacher_fp32")
    pad_id, head = subject.teacher.geometry.pad_id, subject.teacher.readout.head
    for form in dict.fromkeys(("fp32", own_form())):
        pooled = transformers(subject.checkpoint, FORMATS[form])
        answer = partial(_elsewhere, pooled, head, pad_id)
        yield others(who="transformers", form=form, orders=("padded", "sorted"), answer=answer)
    for form, pooled in onnx_runtime(subject.checkpoint, subject.exported, threads).items():
        answer = partial(_elsewhere, pooled, head, pad_id)
        orders = ("padded", "sorted") if form == "fp32" else ("padded",)
        yield others(who="onnx", form=form, orders=orders, answer=answer)


def _executor(grid: Grid, form: str, threads: int) -> Executor:
    return make_executor(cast(copy.deepcopy(grid), FORMATS[form]), device="cpu", threads=threads)


def _in_engine(executor: Executor, pad_id: int, students: int, ids: Ids) -> Tensor:
    *_, final = executor.steps(Batch.pad(ids, pad_id), students=students, ramp_rows=())
    assert isinstance(final, FinalStep)
    assert final.together is not None
    return final.together


@torch.inference_mode()
def _elsewhere(
    pooled: Callable[[Tensor, Tensor], Tensor], head: Callable[[Tensor], Tensor], pad: int, ids: Ids
) -> Tensor:
    batch = Batch.pad(ids, pad)
    logits: Tensor = head(pooled(batch.ids, batch.mask.long()).unsqueeze(0))
    return logits[0]
