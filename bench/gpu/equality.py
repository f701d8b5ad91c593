"""Every executor's answers against each text alone in float32."""

from __future__ import annotations

import copy
import random
import statistics

import torch
from torch import Tensor

from bench.gpu.contenders import PAD_ID, in_engine, usable
from bench.gpu.models import packaged_grids, random_grid
from bench.gpu.scale import Scale
from bench.gpu.watch import Part
from bench.record import Figure
from phalanx_grid import Batch, FinalStep, Grid, cast
from phalanx_grid.execution import Stacked

_TEXTS = 16
_SEED = 1


def measure(scale: Scale, part: Part) -> dict[str, Figure]:
    """Largest difference of a logit over its text's largest |logit|: median, least and largest over texts.

    An executor beyond the tolerance that it states is rejected.
    """
    geometry = scale.ensemble("base", min(scale.ensembles))
    figures = _against_alone(scale, part, "random", random_grid(geometry, scale, dtype=torch.float32))
    with part.attempt("packaged weights"):
        for name, grid in packaged_grids(scale) if scale.real else ():
            if part.left() < 0:
                part.skip(f"equality with the weights of {name}: no time left")
            else:
                figures |= _against_alone(scale, part, name, grid)
    return figures


def _against_alone(scale: Scale, part: Part, weights: str, reference: Grid) -> dict[str, Figure]:
    """Every executor over a copy of the grid in the scale's number format."""
    texts, students, figures = _texts(scale), reference.geometry.students, {}
    alone = {k: torch.cat([_alone(Stacked(reference), ids, k) for ids in texts]) for k in (1, students)}
    grid = cast(copy.deepcopy(reference), scale.dtype)
    for name, executor in usable(scale, part, grid):
        for k, wanted in alone.items():
            with part.attempt(f"{name} with {weights} weights and {k} students"):
                errors = _errors(in_engine(executor, k)(texts), wanted)
                figures[f"error:{weights}:{name}:k{k}"] = Figure(
                    value=statistics.median(errors), low=min(errors), high=max(errors), unit="of the largest logit"
                )
                if not all(error <= executor.tolerance for error in errors):  # not a number is no small error either
                    said = f"is {max(errors):.2g} off with {weights} weights, k = {k}; it promises {executor.tolerance}"
                    part.reject(name, said)
    return figures


def _texts(scale: Scale) -> list[list[int]]:
    chance, longest = random.Random(_SEED), max(scale.lengths)
    vocab = scale.teachers["base"].vocab
    return [[chance.randrange(1, vocab) for _ in range(chance.randint(4, longest))] for _ in range(_TEXTS)]


def _alone(executor: Stacked, ids: list[int], k: int) -> Tensor:
    *_, final = executor.steps(Batch.pad([ids], PAD_ID), students=k)
    assert isinstance(final, FinalStep)
    assert final.together is not None
    return final.together.cpu()


def _errors(mine: Tensor, wanted: Tensor) -> list[float]:
    errors: list[float] = ((mine - wanted).abs().amax(1) / wanted.abs().amax(1)).tolist()
    return errors
