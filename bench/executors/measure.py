"""Rounds in which every contender runs once, cell by cell."""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from rich.progress import track

from bench.executors.contenders import Cell, contenders
from bench.executors.runtimes import Call
from bench.executors.scale import Scale
from bench.record import Figure

Seconds = Mapping[str, list[float]]


def measure(scale: Scale) -> dict[str, Figure]:
    """All figures, by `contender:cell`."""
    figures: dict[str, Figure] = {}
    before = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        for cell in track(list(_cells(scale)), description="executors"):
            torch.set_num_threads(cell.threads)
            calls = contenders(cell, Path(folder))
            figures |= _errors(cell, calls)
            figures |= _figures(cell, _rounds(calls, scale))
    torch.set_num_threads(before)
    return figures


def _cells(scale: Scale) -> Iterator[Cell]:
    for encoder in scale.encoders:
        for (texts, length), threads, k in itertools.product(encoder.shapes, scale.threads, scale.students):
            yield Cell(encoder, texts, length, threads, k)


def _rounds(calls: Mapping[str, Call], scale: Scale) -> Seconds:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    dice, end = random.Random(0), time.perf_counter() + scale.seconds
    for done in range(scale.most_rounds):
        if done >= scale.least_rounds and time.perf_counter() > end:
            break
        for name in dice.sample(sorted(calls), len(calls)):
            start = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _figures(cell: Cell, seconds: Seconds) -> Iterator[tuple[str, Figure]]:
    for name, values in seconds.items():
        form = name.rpartition("_")[2]
        default = seconds[f"threads_{'fp32' if form == 'fp32' else 'bf16'}"]
        yield f"{name}:{cell}", _spread([1000 * value for value in values], "ms")
        yield f"ratio:{name}:{cell}", _spread([a / b for a, b in zip(values, default, strict=True)], "x")


def _errors(cell: Cell, calls: Mapping[str, Call]) -> Iterator[tuple[str, Figure]]:
    """Runs every contender once, which also warms it up."""
    exact = calls["stacked_fp32"]()
    for name, call in calls.items():
        answer = call()
        if not name.startswith("teacher"):
            error = float((answer - exact).abs().max() / exact.abs().max())
            yield f"error:{name}:{cell}", Figure(value=error, low=error, high=error, unit="share")


def _spread(values: list[float], unit: str) -> Figure:
    deciles = statistics.quantiles(values, n=10, method="inclusive")
    return Figure(value=statistics.median(values), low=deciles[0], high=deciles[-1], unit=unit)
