"""One text at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.cpu.contenders import Contender, Ids, teacher_of
from bench.cpu.rounds import drawing, shuffled, until
from bench.cpu.scale import SEED, Cell, Scale
from bench.record import Figure

_RESAMPLES: Final = 1000


def measure(scale: Scale, cell: Cell, ids: Ids, contenders: Sequence[Contender]) -> dict[str, Figure]:
    """p50, p99 and the time over the teacher's, of every contender."""
    order, dice = drawing(len(ids), "latency"), random.Random(SEED)
    rounds = []
    for turn in until(cell.latency_s, least=scale.least_texts, most=len(ids), what="one text at a time"):
        text = [ids[order[turn]]]
        rounds.append(shuffled({each.name: partial(each.answer, text) for each in contenders}, dice))
    seconds = {each.name: np.array([taken[each.name] for taken in rounds]) for each in contenders}
    figures = {f"{cell}:texts": Figure(value=len(rounds), low=len(rounds), high=len(rounds), unit="texts")}
    for each in contenders:
        key, own = f"{cell}:latency:{each.name}", seconds[each.name]
        figures[f"{key}:p50"] = percentile(1000 * own, 50)
        figures[f"{key}:p99"] = percentile(1000 * own, 99)
        low, middle, high = np.percentile(own / seconds[teacher_of(each.form)], (10, 50, 90))
        figures[f"{key}:ratio"] = Figure(value=float(middle), low=float(low), high=float(high), unit="x")
    return figures


def percentile(milliseconds: NDArray[np.float64], percent: float) -> Figure:
    """With its bootstrapped 95 % interval (2.5th and 97.5th percentile over resamples of the texts)."""
    dice = np.random.default_rng(SEED)
    again = dice.choice(milliseconds, (_RESAMPLES, len(milliseconds)))
    low, high = np.percentile(np.percentile(again, percent, axis=1), (2.5, 97.5))
    value = float(np.percentile(milliseconds, percent))
    return Figure(value=value, low=min(float(low), value), high=max(float(high), value), unit="ms")
