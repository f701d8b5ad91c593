"""What one worker does in one second."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

from phalanx_contract.metrics import LATENCY_BUCKETS_S
from phalanx_operator.simulate.latency import Batches, Spread, later, within
from phalanx_operator.simulate.profile import BATCH_SHARE, Cost, Profile

_QUEUE_SLACK: Final = 4.0
_QUEUE_TOKENS: Final = 512
"""The worker's bounds of a queue: so many objectives long at the floor, and never less than so many tokens."""
_STEPS: Final = 100
"""Rates within a hundredth of each other are taken as one, so that their spread is computed once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """How fast: the spread, the share within the objective, and the share within each bound of the histogram."""

    spread: Spread
    in_time: float
    buckets: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Texts of one worker in a second, and what waits at its end; `busy` is a share of the second."""

    students: int
    answered: float
    refused: float
    waiting: float
    busy: float
    how: Answered


def serve(texts: float, waiting: float, *, students: int, floor: int, profile: Profile, objective_s: float) -> Served:
    """A second with so many arrivals, spread evenly over it. `arrived + waited = answered + refused + waits`."""
    cost, longest_s = profile.cost(students), BATCH_SHARE * objective_s
    capacity = cost.texts_per_s(longest_s)
    left = max(waiting + texts - capacity, 0.0)
    refused = min(max(left - queue_texts(profile, floor, objective_s), 0.0), texts)
    left -= refused
    rate = min(waiting + texts, capacity)
    how = _calm(cost, _rounded(rate), longest_s, profile.noise, objective_s)
    if waiting > 0 or left > 0:
        how = _counted(later(how.spread, from_s=waiting / capacity, to_s=left / capacity), objective_s)
    return Served(
        students=students,
        answered=waiting + texts - refused - left,
        refused=refused,
        waiting=left,
        busy=1.0 if rate == capacity else _batches(cost, _rounded(rate), longest_s, profile.noise).busy_share,
        how=how,
    )


def queue_texts(profile: Profile, floor: int, objective_s: float) -> float:
    """The longest queue that admission allows."""
    limit_tokens = profile.capacity_tokens_per_s(floor) * objective_s * _QUEUE_SLACK
    return max(limit_tokens, _QUEUE_TOKENS) / profile.tokens


@functools.lru_cache(maxsize=4096)
def _batches(cost: Cost, rate: float, longest_s: float, noise: float) -> Batches:
    return Batches.of(cost, rate, longest_s=longest_s, noise=noise)


@functools.lru_cache(maxsize=4096)
def _calm(cost: Cost, rate: float, longest_s: float, noise: float, objective_s: float) -> Answered:
    return _counted(_batches(cost, rate, longest_s, noise).spread(noise), objective_s)


def _counted(spread: Spread, objective_s: float) -> Answered:
    return Answered(
        spread=spread,
        in_time=min(within(spread, objective_s), 1.0),
        buckets=tuple(within(spread, bound_s) for bound_s in LATENCY_BUCKETS_S),
    )


def _rounded(rate: float) -> float:
    return math.exp(round(math.log(rate) * _STEPS) / _STEPS) if rate > 0 else 0.0
