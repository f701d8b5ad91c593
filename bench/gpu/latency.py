"""One text: an ensemble of few rows against its teacher, each in its fastest form."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Mapping

import torch

from bench.gpu.contenders import Answers, Ids, in_engine, in_transformers, usable, warmed
from bench.gpu.models import random_grid, transformers_teacher
from bench.gpu.roofline import shares
from bench.gpu.scale import Scale
from bench.gpu.timing import interleaved, latency, ratio
from bench.gpu.watch import Part
from bench.gpu.work import Limits, pass_work
from bench.record import Figure

_WARM = 3
TEACHERS = ("teacher_eager", "teacher_compile", "teacher_graphs")


def measure(scale: Scale, part: Part, size: str, limits: Limits | None) -> dict[str, Figure]:
    """All cuts of the ensembles beside one teacher, at every length; without limits, no shares of them.

    torch.compile makes one program for each length (faster than one for all), and has a place in the time for some.
    """
    figures: dict[str, Figure] = {}
    fixed = dict(_fixed(scale, part, size))
    plain = transformers_teacher(scale.teachers[size], scale)
    fixed["teacher_eager"] = in_transformers(plain, scale, cudnn=scale.cudnn)
    compiled: dict[str, Answers] = {}
    with part.attempt("torch.compile of the teacher"):
        compiled["teacher_compile"] = in_transformers(_compiled(scale, plain), scale, cudnn=scale.cudnn)
    if never := [str(length) for length in scale.lengths if length not in scale.compile_lengths[size]]:
        part.skip(
            f"torch.compile of the teacher at {', '.join(never)} tokens: a program for each takes too long to make"
        )
    for place, length in enumerate(scale.lengths):
        contenders = dict(fixed)
        if length in scale.compile_lengths[size] and part.left() < scale.compile_s[size]:
            part.skip(f"torch.compile of the teacher at {length} tokens: no time left to compile")
        elif length in scale.compile_lengths[size]:
            contenders |= compiled
        with part.attempt(f"{length} tokens"):
            calls = warmed(part, f"{length} tokens", contenders, _ids(scale, length), _WARM)
            rounds = part.rounds(f"{length} tokens", scale.rounds, share=1 / (len(scale.lengths) - place))
            figures |= _figures(scale, size, length, interleaved(calls, rounds), limits)
    return figures


def _fixed(scale: Scale, part: Part, size: str) -> Iterator[tuple[str, Answers]]:
    """What serves every length."""
    for _, ensemble in usable(scale, part, random_grid(scale.ensemble(size), scale), ("graphs",)):
        for k in scale.cuts:
            yield f"ensemble_k{k}", in_engine(ensemble, k)
    for _, teacher in usable(scale, part, random_grid(scale.teachers[size], scale), ("graphs",)):
        yield "teacher_graphs", in_engine(teacher, 1)


def _compiled(scale: Scale, plain: torch.nn.Module) -> Callable[..., object]:
    """With CUDA graphs of its own."""
    mode = "reduce-overhead" if scale.real else None
    return torch.compile(plain, mode=mode, dynamic=False, backend=scale.compile_backend)


def _ids(scale: Scale, length: int) -> Ids:
    chance, vocab = random.Random(length), scale.teachers["base"].vocab
    return [[chance.randrange(1, vocab) for _ in range(length)]]


def _figures(
    scale: Scale, size: str, length: int, seconds: Mapping[str, list[float]], limits: Limits | None
) -> dict[str, Figure]:
    """Times; ratios of the best teacher's to each ensemble's; and how near the device's limits a pass comes."""
    cell = f"{size}:s{length}"
    found = {f"latency:{cell}:{name}": latency(values) for name, values in seconds.items()}
    teachers = {name: values for name, values in seconds.items() if name in TEACHERS}
    best = min(teachers, key=lambda name: statistics.median(teachers[name]), default=None)
    for k in scale.cuts:
        own = seconds.get(f"ensemble_k{k}")
        if own is not None and best is not None:
            found[f"speedup:{cell}:k{k}"] = ratio(teachers[best], own)
        if own is not None and limits is not None:
            work = pass_work(scale.ensemble(size), students=k, texts=1, length=length)
            found |= shares(f"{cell}:k{k}", work, own, limits)
    if best is not None and limits is not None:
        whole = pass_work(scale.teachers[size], students=1, texts=1, length=length)
        found |= shares(f"{cell}:{best}", whole, teachers[best], limits)
    return found
