"""Cost of a forward pass on one CPU thread: the grid at every k, its teacher in this engine, and in transformers.

Random weights of MiniLM's geometry (time does not depend on values), fp32. In each round every contender runs once, in
shuffled order, so that a busy machine slows all alike. A figure is the median over rounds; low and high are the
10th and 90th percentile. `ratio:*` is the contender's time over the full ensemble's in the same round.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from transformers import BertConfig, BertModel

from bench.record import Figure, write
from phalanx_grid import Batch, Geometry, Grid

STUDENTS, ROWS, TEACHER_ROWS = 4, 2, 6
SHAPES = ((1, 16), (1, 64), (32, 16), (32, 64))
ROUNDS = 30
SEED = 0


def _geometry(students: int, rows: int) -> Geometry:
    return Geometry(
        family="bert", students=students, rows=rows, hidden=384, heads=12, ffn=1536, vocab=30522, max_positions=512,
        type_vocab=2, pad_id=0, position_offset=0, layer_norm_eps=1e-12, pooling="cls", relative_buckets=0, classes=6,
    )  # fmt: skip


def _contenders(n: int, length: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    ids = torch.randint(1000, 30000, (n, length), generator=torch.Generator().manual_seed(SEED))
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool))
    labels = tuple("abcdef")
    ensemble = Grid.from_geometry(_geometry(STUDENTS, ROWS), labels).eval()
    teacher = Grid.from_geometry(_geometry(1, TEACHER_ROWS), labels).eval()
    sizes: dict[str, Any] = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
    config = BertConfig(vocab_size=30522, num_hidden_layers=TEACHER_ROWS, **sizes)
    reference = BertModel(config)
    reference.train(False)

    def grid(model: Grid, k: int) -> Callable[[], object]:
        return lambda: list(model.steps(batch, students=k))

    def transformers() -> object:
        with torch.inference_mode():
            return reference(input_ids=ids, attention_mask=torch.ones_like(ids))

    timed = {f"ensemble_k{k}": grid(ensemble, k) for k in range(1, STUDENTS + 1)}
    return timed | {"teacher": grid(teacher, 1), "teacher_transformers": transformers}


def _spread(values: list[float], unit: str) -> Figure:
    deciles = statistics.quantiles(values, n=10)
    return Figure(value=statistics.median(values), low=deciles[0], high=deciles[-1], unit=unit)


def _time(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run() -> Path:
    """Measure, and write bench/results/grid_cpu.json."""
    torch.set_num_threads(1)
    chance = random.Random(SEED)
    figures: dict[str, Figure] = {}
    for n, length in SHAPES:
        contenders = _contenders(n, length)
        for call in contenders.values():
            call()
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in track(range(ROUNDS), description=f"batch {n}, {length} tokens"):
            for name in chance.sample(sorted(contenders), len(contenders)):
                seconds[name].append(_time(contenders[name]))
        full = seconds[f"ensemble_k{STUDENTS}"]
        for name, values in seconds.items():
            key = f"{name}:n{n}:s{length}"
            figures[key] = _spread([1000 * value for value in values], "ms")
            figures[f"ratio:{key}"] = _spread([a / b for a, b in zip(values, full, strict=True)], "x")
    return write("grid_cpu", figures)
