"""What is asked of a pool's workers, as a share of what they compute.

All ensembles of a pool share its devices, so their shares add up: at 1 the workers are busy all the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from phalanx_contract.plan import candidate_name, is_candidate
from phalanx_operator.decide.capacity import capacity_at
from phalanx_operator.decide.types import EnsembleMetrics, Observation


def share_at(metrics: EnsembleMetrics, students: int) -> float | None:
    """The share of the workers' time that one ensemble's offered tokens take with so many students.

    0 without traffic; None if the rate or the capacity is not known.
    """
    tokens = metrics.tokens_per_s
    if tokens is None or tokens == 0:
        return tokens
    capacity = capacity_at(metrics.capacity_tokens_per_s, students)
    return tokens / capacity if capacity else None


def shares_of_others(ensembles: Mapping[str, EnsembleMetrics], ceilings: Mapping[str, int | None]) -> dict[str, float]:
    """For each ensemble, the share that all others take at their ceilings; what is not known counts as nothing."""
    shares = {
        name: share_at(ensembles[name], students or 1) or 0.0
        for name, students in ceilings.items()
        if name in ensembles
    }
    total = sum(shares.values())
    return {name: total - shares.get(name, 0.0) for name in ceilings}


def with_candidates(observation: Observation) -> Observation:
    """The same load with what candidates answer counted as their ensembles': there it would come back to."""
    own = {name: metrics for name, metrics in observation.ensembles.items() if not is_candidate(name)}
    for name, metrics in own.items():
        taken = observation.ensembles.get(candidate_name(name))
        if taken is not None and taken.tokens_per_s is not None and metrics.tokens_per_s is not None:
            own[name] = replace(metrics, tokens_per_s=metrics.tokens_per_s + taken.tokens_per_s)
    return replace(observation, ensembles=own)
