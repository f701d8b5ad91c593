"""May these metrics be decided on? Missing, stale and senseless ones mean HOLD, never zero load."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from phalanx_operator.decide.types import DecisionReason, EnsembleMetrics, Observation, RampHistogram


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a decision has to hold."""

    reason: DecisionReason
    message: str


def doubt_observation(observation: Observation, *, stale_after_s: float, now: float) -> Doubt | None:
    """What is wrong with an observation as a whole; `now` and `observation.at` are seconds of one clock."""
    if observation.problem:
        return Doubt(DecisionReason.METRICS_MISSING, observation.problem)
    if observation.at is None or observation.workers <= 0:
        return Doubt(DecisionReason.METRICS_MISSING, "no worker's metrics could be read")
    age_s = now - observation.at
    if not math.isfinite(age_s) or age_s < -stale_after_s:
        return Doubt(DecisionReason.METRICS_INVALID, "the newest sample's time makes no sense; are the clocks in step?")
    if age_s > stale_after_s:
        return Doubt(DecisionReason.METRICS_STALE, f"the newest sample is older than {stale_after_s:g} s")
    return None


def doubt_load(metrics: EnsembleMetrics | None) -> Doubt | None:
    """What is wrong with one ensemble's load. A p99 may be missing only while nothing is answered."""
    if metrics is None:
        return Doubt(DecisionReason.METRICS_MISSING, "the workers export no metrics of this ensemble")
    values = {
        "tokens a second": metrics.tokens_per_s,
        "p99": metrics.p99_s,
        **{f"capacity at {k} students": value for k, value in metrics.capacity_tokens_per_s.items()},
    }
    for name, value in values.items():
        if value is not None and (not math.isfinite(value) or value < 0):
            return Doubt(DecisionReason.METRICS_INVALID, f"{name} is {value}")
    if metrics.tokens_per_s is None:
        return Doubt(DecisionReason.METRICS_MISSING, "the rate of tokens is unknown")
    if metrics.p99_s is None and metrics.tokens_per_s > 0 and not metrics.shed_per_s:
        return Doubt(DecisionReason.METRICS_MISSING, "there is traffic, but its p99 is unknown")
    return None


def doubt_ramps(ramps: tuple[RampHistogram, ...]) -> Doubt | None:
    """What is wrong with the ramps' histograms: they have to be cumulative counts on rising bounds."""
    for ramp in ramps:
        if not _cumulative(ramp):
            message = f"the exit scores of row {ramp.row} are no cumulative counts"
            return Doubt(DecisionReason.METRICS_INVALID, message)
    if len({ramp.row for ramp in ramps}) != len(ramps):
        return Doubt(DecisionReason.METRICS_INVALID, "a row has two histograms")
    return None


def _cumulative(ramp: RampHistogram) -> bool:
    same_length = len(ramp.bounds) == len(ramp.agrees) == len(ramp.differs) > 0
    return same_length and ramp.row >= 0 and all(map(_rises, (ramp.bounds, ramp.agrees, ramp.differs)))


def _rises(values: tuple[float, ...]) -> bool:
    finite = all(math.isfinite(value) and value >= 0 for value in values)
    return finite and all(low <= high for low, high in itertools.pairwise(values))
