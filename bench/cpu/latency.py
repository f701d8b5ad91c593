"""One text at a time."""

from __future__ import annotations

import math
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

_TAIL: Final = 0.025


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
    """With its 95 % interval by order statistics, which supposes nothing of how times are distributed (Hahn and Meeker,
    Statistical Intervals, section 5.2): so many of n values lie below the true percentile as a binomial draw says.

    Of fewer values than `enough` none can be said to lie above; the largest then stands for the bound.
    """
    ordered = np.sort(milliseconds)
    value, count = float(np.percentile(ordered, percent)), len(ordered)
    at_least, at_most = _ranks(count, percent / 100)
    low, high = ordered[max(at_least - 1, 0)], ordered[min(at_most, count - 1)]
    return Figure(value=value, low=min(float(low), value), high=max(float(high), value), unit="ms")


def enough(percent: float) -> int:
    """So many values that the largest lies above the true percentile in 97.5 % of cases."""
    return math.ceil(math.log(_TAIL) / math.log(percent / 100))


def _ranks(count: int, share: float) -> tuple[int, int]:
    """How many of `count` values lie below a point that has `share` of all below it: its 2.5 % and 97.5 % points."""
    below = np.cumsum([_chance(values, count, share) for values in range(count + 1)])
    low, high = np.searchsorted(below, (_TAIL, 1 - _TAIL))
    return int(low), int(high)


def _chance(values: int, count: int, share: float) -> float:
    """Of a binomial draw, by logarithms: the factors leave what a float can hold."""
    ways = math.lgamma(count + 1) - math.lgamma(values + 1) - math.lgamma(count - values + 1)
    return math.exp(ways + values * math.log(share) + (count - values) * math.log(1 - share))
