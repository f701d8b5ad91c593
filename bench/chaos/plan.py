"""Which thing is killed when. Pure: a seed goes in, strikes come out."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass
from typing import Final


class Fault(enum.StrEnum):
    """What is killed with -9."""

    PROMETHEUS = "Prometheus"
    WORKER = "a worker"
    OPERATOR = "the operator"
    API_SERVER = "the API server"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """From how many seconds to how many: of calm before a strike, and until somebody starts the thing again.

    Workers and the operator are started again by their node, at once.
    """

    calm_s: tuple[float, float]
    down_s: tuple[float, float]


WHOLE: Final = Pace(calm_s=(4.0, 12.0), down_s=(3.0, 15.0))
SHORT: Final = Pace(calm_s=(0.5, 1.5), down_s=(1.0, 3.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Strike:
    """One kill. `which` in [0, 1) chooses among several alike."""

    fault: Fault
    calm_s: float
    down_s: float
    which: float


def plan(*, seed: int, rounds: int, pace: Pace = WHOLE) -> tuple[Strike, ...]:
    """Each fault once in a round, in an order of the round's own."""
    dice = random.Random(seed)
    return tuple(
        Strike(fault=fault, calm_s=dice.uniform(*pace.calm_s), down_s=dice.uniform(*pace.down_s), which=dice.random())
        for _ in range(rounds)
        for fault in dice.sample(list(Fault), len(Fault))
    )
