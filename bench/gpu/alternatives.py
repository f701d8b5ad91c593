"""The executors side by side, on the same batches."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from bench.gpu.contenders import Ids, in_engine, usable, warmed
from bench.gpu.models import random_grid
from bench.gpu.scale import Scale
from bench.gpu.timing import interleaved, latency, ratio
from bench.gpu.watch import Part
from bench.record import Figure

_WARM = 2


def measure(scale: Scale, part: Part) -> dict[str, Figure]:
    """Times of full batches and of one with padding, and each executor's over `stacked`."""
    students, figures = min(scale.ensembles), dict[str, Figure]()
    grid = random_grid(scale.ensemble("base", students), scale)
    executors = {name: in_engine(executor, students) for name, executor in usable(scale, part, grid)}
    batches = dict(_batches(scale))
    for place, (shape, ids) in enumerate(batches.items()):
        calls = warmed(part, shape, executors, ids, _WARM)
        with part.attempt(shape):
            rounds = part.rounds(shape, scale.rounds, share=1 / (len(batches) - place))
            figures |= _figures(shape, interleaved(calls, rounds))
    return figures


def _figures(shape: str, seconds: Mapping[str, list[float]]) -> dict[str, Figure]:
    figures = {}
    for name, values in seconds.items():
        figures[f"executor:{shape}:{name}"] = latency(values)
        if "stacked" in seconds:
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
