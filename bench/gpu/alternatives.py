"""The executors side by side, on the same batches."""

from __future__ import annotations

import random
from collections.abc import Iterator

from bench.gpu.contenders import Answers, Ids, in_engine, usable
from bench.gpu.models import random_grid
from bench.gpu.scale import Scale
from bench.gpu.timing import Call, interleaved, latency, ratio
from bench.gpu.watch import Part
from bench.record import Figure

_WARM = 2


def measure(scale: Scale, part: Part) -> dict[str, Figure]:
    """Times of full batches and of one with padding, and each executor's over `stacked`."""
    students, figures = min(scale.ensembles), {}
    grid = random_grid(scale.ensemble("base", students), scale)
    executors = {name: in_engine(executor, students) for name, executor in usable(scale, part, grid)}
    batches = dict(_batches(scale))
    for place, (shape, ids) in enumerate(batches.items()):
        calls = {name: _call(answer, ids) for name, answer in executors.items()}
        rounds = part.rounds(shape, scale.rounds, share=1 / (len(batches) - place))
        seconds = interleaved(calls, rounds)
        for name, values in seconds.items():
            figures[f"executor:{shape}:{name}"] = latency(values)
            figures[f"executor_ratio:{shape}:{name}"] = ratio(values, seconds["stacked"])
    return figures


def _batches(scale: Scale) -> Iterator[tuple[str, Ids]]:
    """By name; the last has texts of a quarter to all of the largest shape's length."""
    chance, vocab = random.Random(0), scale.teachers["base"].vocab
    for texts, length in scale.shapes:
        yield f"n{texts}:s{length}", [[chance.randrange(1, vocab) for _ in range(length)] for _ in range(texts)]
    texts, length = scale.shapes[-1]
    mixed = [chance.randint(length // 4, length) for _ in range(texts)]
    yield f"n{texts}:mixed{length}", [[chance.randrange(1, vocab) for _ in range(own)] for own in mixed]


def _call(answer: Answers, ids: Ids) -> Call:
    for _ in range(_WARM):
        answer(ids)
    return lambda: answer(ids)
