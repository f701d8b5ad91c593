"""A burst: one student in this engine against the teacher in padded batches of transformers, on the same texts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from bench.gpu.contenders import Answers, Ids, in_engine, in_transformers, usable
from bench.gpu.lengths import draw
from bench.gpu.models import random_grid, transformers_teacher
from bench.gpu.roofline import shares
from bench.gpu.scale import Scale
from bench.gpu.timing import Call, interleaved, rate, ratio
from bench.gpu.watch import Part
from bench.gpu.work import Limits, texts_work
from bench.record import Figure

_ROUNDS = 12
_SEED = 2
_EXECUTORS = ("graphs", "varlen", "stacked")
BASELINE = "padded_eager"


def measure(scale: Scale, part: Part, limits: Limits | None) -> dict[str, Figure]:
    """Texts a second, and how many times the baseline's best batch size each way reaches.

    Texts come in random order. This engine puts those of like length together within what a queue holds (the scale's
    `window`), which one baseline has too (`padded_eager_sorted`); the one that gains are counted from has them as they
    come. Both run without cuDNN's attention, unlike in `latency`: nearly every batch is a new shape to plan.
    """
    chance, vocab = random.Random(_SEED), scale.teachers["base"].vocab
    longest = scale.teachers["base"].max_tokens
    ids = [[chance.randrange(1, vocab) for _ in range(length)] for length in draw(scale.texts, longest=longest)]
    calls: dict[str, Call] = {}
    for name, call in _calls(scale, part, ids):
        with part.attempt(name):
            call()
            calls[name] = call
    seconds = interleaved(calls, part.rounds("all texts", _ROUNDS))
    figures = {f"throughput:{name}": rate(len(ids), values, "texts/s") for name, values in seconds.items()}
    baselines = [name for name in seconds if name.startswith(f"{BASELINE}:")]
    if baselines:
        best = max(baselines, key=lambda name: figures[f"throughput:{name}"].value)
        figures |= {f"gain:{name}": ratio(seconds[best], values) for name, values in seconds.items()}
    return figures if limits is None else figures | _shares(scale, seconds, [len(own) for own in ids], limits)


def _shares(
    scale: Scale, seconds: Mapping[str, list[float]], lengths: Sequence[int], limits: Limits
) -> dict[str, Figure]:
    """What a burst's cut reaches of the device's limits."""
    found: dict[str, Figure] = {}
    for size in scale.batch_texts:
        work = texts_work(scale.ensemble("base"), students=1, lengths=lengths, batch_texts=size)
        for name in _EXECUTORS:
            key = f"k1_{name}:n{size}"
            if key in seconds:
                found |= shares(f"burst:n{size}:k1_{name}", work, seconds[key], limits)
    return found


def _calls(scale: Scale, part: Part, ids: Ids) -> Iterator[tuple[str, Call]]:
    plain = in_transformers(transformers_teacher(scale.teachers["base"], scale), scale, cudnn=False)
    teachers = list(usable(scale, part, random_grid(scale.teachers["base"], scale), ("graphs",)))
    grid, full = random_grid(scale.ensemble("base", min(scale.ensembles)), scale), min(scale.ensembles)
    own = dict(usable(scale, part, grid, _EXECUTORS))
    for size in scale.batch_texts:
        alike = in_batches(sorted_in_windows(ids, scale.window), size)
        yield f"{BASELINE}:n{size}", _all(plain, in_batches(ids, size))
        yield f"{BASELINE}_sorted:n{size}", _all(plain, alike)
        for _, teacher in teachers:
            yield f"teacher:n{size}", _all(in_engine(teacher, 1), alike)
        for name, executor in own.items():
            yield f"k1_{name}:n{size}", _all(in_engine(executor, 1), alike)
        if "graphs" in own:
            yield f"k{full}_graphs:n{size}", _all(in_engine(own["graphs"], full), alike)


def sorted_in_windows(ids: Ids, window: int) -> list[Sequence[int]]:
    """By length among so many at a time, in the order of their coming: what a queue has to choose from."""
    return [own for start in range(0, len(ids), window) for own in sorted(ids[start : start + window], key=len)]


def in_batches(ids: Ids, size: int) -> list[Ids]:
    """In order, so many texts each; the last has the rest."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _all(answer: Answers, batches: Sequence[Ids]) -> Call:
    """One batch after the other, each waited for, as the engine does."""

    def run() -> None:
        for ids in batches:
            answer(ids)

    return run
