"""Runs as JSON: for each policy its score, the points of its picture, and the decisions that changed something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import msgspec

from phalanx_operator.simulate.replay import Event, Run
from phalanx_operator.simulate.score import Score
from phalanx_operator.simulate.slices import Slice


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyReport:
    """One run; `violating` is the share of texts that were late or refused."""

    policy: str
    violating: float
    score: Score
    slices: tuple[Slice, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All runs over one trace."""

    trace: str
    about: str
    seconds: int
    texts: float
    objective_s: float
    policies: tuple[PolicyReport, ...]


def report_of(runs: Sequence[Run]) -> Report:
    """The report of runs over the same trace, at least one."""
    first = runs[0]
    return Report(
        trace=first.trace.name,
        about=first.trace.about,
        seconds=first.trace.seconds,
        texts=sum(first.trace.texts),
        objective_s=first.scene.objective_s,
        policies=tuple(
            PolicyReport(
                policy=run.policy,
                violating=run.score.violating,
                score=run.score,
                slices=run.slices,
                events=run.events,
            )
            for run in runs
        ),
    )


def encode(report: Report) -> bytes:
    """Indented JSON."""
    return msgspec.json.format(msgspec.json.encode(asdict(report)), indent=2) + b"\n"
