"""Pools, traces and policies for simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_contract.plan import Cut
from phalanx_operator.simulate.policies import Fixed, Orders, Seen
from phalanx_operator.simulate.profile import CPU, Profile
from phalanx_operator.simulate.trace import Trace
from phalanx_operator.simulate.world import Scene

OBJECTIVE_S = 0.15


def scene(replicas: int = 2, *, profile: Profile = CPU) -> Scene:
    return Scene(
        profile=profile, objective_s=OBJECTIVE_S, ensemble="model", replicas=replicas, interval_s=10.0, window_s=30.0
    )


def trace(texts: Sequence[float]) -> Trace:
    return Trace(name="made", texts=tuple(texts))


def fixed(students: int, workers: int) -> Fixed:
    return Fixed(name=f"fixed:{students}x{workers}", students=students, replicas=(workers,))


@dataclass(frozen=True)
class Guarded:
    """Workers that pick for themselves within a range; nobody moves it."""

    first_cut: Cut
    replicas: int = 1
    name: str = "guarded"
    interval_s: float = 1.0

    def decide(self, seen: Seen, *, now: float) -> Orders:
        return Orders(cut=self.first_cut, replicas=self.replicas)
