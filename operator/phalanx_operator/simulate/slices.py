"""Some seconds of a run as one point of its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx_operator.simulate.latency import quantile
from phalanx_operator.simulate.world import Second


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """The means over a stretch that starts `at_s` into the trace; `p99_s` and `students` are None without answers."""

    at_s: int
    seconds: int
    arrived_per_s: float
    refused_per_s: float
    violating: float
    p99_s: float | None
    students: float | None
    ceiling: int
    wanted: float
    live: float
    ready: float
    waiting: float


def slice_of(at_s: int, seconds: Sequence[Second], wanted: Sequence[int], ceilings: Sequence[int]) -> Slice:
    """The point for these seconds; the ceiling is the lowest of them."""
    count, answered = len(seconds), sum(second.answered for second in seconds)
    arrived, refused = sum(second.arrived for second in seconds), sum(second.refused for second in seconds)
    late = sum(second.late for second in seconds)
    return Slice(
        at_s=at_s,
        seconds=count,
        arrived_per_s=arrived / count,
        refused_per_s=refused / count,
        violating=(late + refused) / (answered + refused) if answered + refused else 0.0,
        p99_s=quantile([part for second in seconds for part in second.parts], 0.99),
        students=sum(second.student_texts for second in seconds) / answered if answered else None,
        ceiling=min(ceilings),
        wanted=sum(wanted) / count,
        live=sum(second.live for second in seconds) / count,
        ready=sum(second.ready for second in seconds) / count,
        waiting=sum(second.waiting for second in seconds) / count,
    )
