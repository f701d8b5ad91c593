"""What teacher and ensemble cost: parameters, bytes, and the time of a single text on this machine."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec
import torch
from msgspec import Meta

from phalanx_distill.compute import Compute
from phalanx_distill.corpus import Corpus
from phalanx_distill.machine import machine
from phalanx_grid import Batch, Grid
from phalanx_grid.execution import Executor, make_executor

ROUNDS: Final = 40
BUDGET_S: Final = 10.0
"""Timing ends after so many rounds or seconds, whichever comes first, but not before `_LEAST` rounds."""
_LEAST: Final = 5

TEACHER: Final = 0
"""Stands for the teacher where a number of students is wanted."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One predictor: k students, or the teacher where `students` is 0.

    `bytes` are those of the parameters at fp32. Milliseconds are of one text as a batch of its own: the median over
    rounds, with the 10th and 90th percentile.
    """

    students: int
    parameters: int
    bytes: int
    ms: Annotated[float, Meta(gt=0)]
    ms_low: float
    ms_high: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Prices, and what they were taken on: a text of the median length, by which executor, on which machine."""

    machine: str
    executor: str
    threads: int
    tokens: int
    rounds: int
    prices: tuple[Price, ...]


Call = Callable[[], object]


def cost(grid: Grid, teacher: Grid, corpus: Corpus, compute: Compute, *, seed: int) -> Cost:
    """Time a text of the corpus' median length with the teacher and with every number of students, in fp32.

    Both run as a worker runs them by default. In each round everything runs once in shuffled order, so that a busy
    machine slows all alike.
    """
    ids = sorted(corpus.ids, key=len)[len(corpus) // 2]
    batch = Batch.pad([ids], corpus.pad_id).to(compute.device)
    whole, alone = (make_executor(model.eval(), device=compute.device) for model in (grid, teacher))
    counts = range(1, grid.geometry.students + 1)
    calls = {TEACHER: _call(alone, batch, 1, compute)} | {k: _call(whole, batch, k, compute) for k in counts}
    seconds = timed(calls, seed=seed)
    return Cost(
        machine=_place(compute.device),
        executor=whole.name,
        threads=torch.get_num_threads(),
        tokens=len(ids),
        rounds=len(seconds[TEACHER]),
        prices=tuple(_price(k, parameters(grid, k) if k else parameters(teacher, 1), seconds[k]) for k in calls),
    )


def parameters(grid: Grid, students: int) -> int:
    """Parameters that the first `students` of a grid read: its embeddings once, and their own."""
    with torch.device("meta"):
        part = Grid(grid.geometry.replace(students=students), grid.labels, ramps=grid.has_ramps)
    return sum(parameter.numel() for parameter in part.parameters())


def timed(
    calls: dict[int, Call],
    *,
    seed: int,
    rounds: int = ROUNDS,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[int, list[float]]:
    """Seconds of each call in each round, after one call each to warm up."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for call in calls.values():
        call()
    started, seconds = clock(), {name: list[float]() for name in calls}
    for done in range(rounds):
        if done >= _LEAST and clock() - started > budget_s:
            break
        for name in chance.sample(list(calls), len(calls)):
            before = clock()
            calls[name]()
            seconds[name].append(clock() - before)
    return seconds


def _place(device: torch.device) -> str:
    return f"{torch.cuda.get_device_name(device)} in {machine()}" if device.type == "cuda" else machine()


def _call(executor: Executor, batch: Batch, students: int, compute: Compute) -> Call:
    def call() -> None:
        for _ in executor.steps(batch, students=students, ramp_rows=()):
            pass
        if compute.device.type == "cuda":
            torch.cuda.synchronize(compute.device)

    return call


def _price(students: int, size: int, seconds: Sequence[float]) -> Price:
    deciles = statistics.quantiles(seconds, n=10, method="inclusive")
    return Price(
        students=students,
        parameters=size,
        bytes=4 * size,
        ms=1000 * statistics.median(seconds),
        ms_low=1000 * deciles[0],
        ms_high=1000 * deciles[-1],
    )
