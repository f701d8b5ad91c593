"""One text: an ensemble of few rows against its teacher, each in its fastest form."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator

import torch

from bench.gpu.contenders import Answers, in_engine, in_transformers
from bench.gpu.models import random_grid, transformers_teacher
from bench.gpu.roofline import shares
from bench.gpu.scale import Scale
from bench.gpu.timing import Call, interleaved, latency, ratio
from bench.gpu.watch import Part
from bench.gpu.work import Limits, pass_work
from bench.record import Figure

_WARM = 3
TEACHERS = ("teacher_eager", "teacher_compile", "teacher_graphs")


def measure(scale: Scale, part: Part, size: str, limits: Limits) -> dict[str, Figure]:
    """All cuts of the ensembles beside one teacher, at every length."""
    figures: dict[str, Figure] = {}
    fixed = dict(_fixed(scale, size))
    plain = transformers_teacher(scale.teachers[size], scale)
    for place, length in enumerate(scale.lengths):
        contenders = dict(fixed)
        if part.left() < scale.compile_s[size]:
            part.skip(f"torch.compile of the teacher at {length} tokens")
        else:
            contenders["teacher_compile"] = _compiled(scale, plain)
        contenders["teacher_eager"] = in_transformers(plain, scale)
        rounds = part.rounds(f"{length} tokens", scale.rounds, share=1 / (len(scale.lengths) - place))
        seconds = interleaved(_calls(contenders, length, scale), rounds)
        figures |= _figures(scale, size, length, seconds, limits)
    return figures


def _fixed(scale: Scale, size: str) -> Iterator[tuple[str, Answers]]:
    """What serves every length."""
    ensemble = scale.executors["graphs"](random_grid(scale.ensemble(size), scale))
    for k in scale.cuts:
        yield f"ensemble_k{k}", in_engine(ensemble, k)
    yield "teacher_graphs", in_engine(scale.executors["graphs"](random_grid(scale.teachers[size], scale)), 1)


def _compiled(scale: Scale, plain: torch.nn.Module) -> Answers:
    """One program for each length, which is faster than one for all; with its own CUDA graphs."""
    torch.compiler.reset()
    mode = "reduce-overhead" if scale.real else None
    return in_transformers(torch.compile(plain, mode=mode, dynamic=False, backend=scale.compile_backend), scale)


def _calls(contenders: dict[str, Answers], length: int, scale: Scale) -> dict[str, Call]:
    chance, vocab = random.Random(length), scale.teachers["base"].vocab
    ids = [[chance.randrange(1, vocab) for _ in range(length)]]

    def call(answer: Answers) -> Call:
        for _ in range(_WARM):
            answer(ids)
        return lambda: answer(ids)

    return {name: call(answer) for name, answer in contenders.items()}


def _figures(
    scale: Scale, size: str, length: int, seconds: dict[str, list[float]], limits: Limits
) -> dict[str, Figure]:
    """Times; ratios of the best teacher's to each ensemble's; and how near the device's limits a pass comes."""
    cell = f"{size}:s{length}"
    found = {f"latency:{cell}:{name}": latency(values) for name, values in seconds.items()}
    teachers = {name: values for name, values in seconds.items() if name in TEACHERS}
    best = min(teachers, key=lambda name: statistics.median(teachers[name]))
    for k in scale.cuts:
        own = seconds[f"ensemble_k{k}"]
        found[f"speedup:{cell}:k{k}"] = ratio(teachers[best], own)
        work = pass_work(scale.ensemble(size), students=k, texts=1, length=length)
        found |= shares(f"{cell}:k{k}", work, own, limits)
    whole = pass_work(scale.teachers[size], students=1, texts=1, length=length)
    return found | shares(f"{cell}:{best}", whole, teachers[best], limits)
