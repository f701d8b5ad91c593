"""From summed signals to the observation that decisions read. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from phalanx_operator.decide.types import EnsembleMetrics, Observation, RampHistogram
from phalanx_operator.observe import signals
from phalanx_operator.observe.quantile import quantile
from phalanx_operator.observe.signals import Labels, Vector

MIN_COVERAGE = 0.8
"""The least share of the ready workers whose metrics must be there. Below it the sums say less than the load is,
and a decision on them would add work to an overloaded pool."""

ROUNDING = 1e-9
"""Relative difference of sums that are the same but for their order."""

Vectors = Mapping[str, Vector]
"""A vector for each signal's name; one that is missing could not be read."""


def assemble(vectors: Vectors, *, at: float | None, seen: int, ready: int, hint: str = "") -> Observation:
    """The observation of one pool.

    `at` is the time of the newest sample (s), `seen` the number of workers whose metrics the vectors sum up, `ready`
    the number that should have some; `hint` ends the sentence that says that there are too few.
    """
    if ready == 0:
        return Observation(at=at, workers=0, problem="no worker is ready, so there are no metrics")
    if seen < MIN_COVERAGE * ready:
        problem = f"metrics of {seen} of {ready} ready workers are there{hint}"
        return Observation(at=at, workers=seen, problem=problem)
    busy = _plain(vectors, signals.BUSY).get((), None)
    names = {name for vector in vectors.values() for labels in vector if (name := dict(labels).get("ensemble"))}
    return Observation(
        at=at,
        workers=seen,
        busy_share=None if busy is None or seen == 0 else busy / seen,
        ensembles={name: _metrics(name, vectors) for name in sorted(names)},
    )


def _metrics(name: str, vectors: Vectors) -> EnsembleMetrics:
    key = (("ensemble", name),)
    latency = {_bound(labels): value for labels, value in _of(name, vectors, signals.LATENCY)}
    capacity = {int(labels["students"]): value for labels, value in _of(name, vectors, signals.CAPACITY)}
    return EnsembleMetrics(
        requests_per_s=_plain(vectors, signals.REQUESTS).get(key),
        tokens_per_s=_plain(vectors, signals.TOKENS).get(key),
        p99_s=quantile(0.99, latency),
        queue_tokens=_plain(vectors, signals.QUEUE).get(key),
        shed_per_s=_plain(vectors, signals.SHED).get(key),
        capacity_tokens_per_s=capacity,
        students=_mean({int(labels["students"]): value for labels, value in _of(name, vectors, signals.ANSWERS)}),
        ramps=_ramps(name, vectors),
    )


def _mean(answers: Mapping[int, float]) -> float | None:
    """Students of an answer, on average; None where nothing was answered."""
    total = sum(answers.values())
    return sum(students * rate for students, rate in answers.items()) / total if total > 0 else None


def _ramps(name: str, vectors: Vectors) -> tuple[RampHistogram, ...]:
    """One histogram for each row; only finite bounds, since the decision chooses thresholds among them."""
    counts: dict[int, dict[str, dict[float, float]]] = defaultdict(lambda: {"true": {}, "false": {}})
    for labels, value in _of(name, vectors, signals.RAMPS):
        bound = _bound(labels)
        side = labels["agrees"].lower()
        if math.isfinite(bound) and labels["row"].isdigit() and side in ("true", "false"):
            counts[int(labels["row"])][side][bound] = value
    ramps = []
    for row, sides in sorted(counts.items()):
        bounds = tuple(sorted(sides["true"].keys() | sides["false"].keys()))
        ramps.append(
            RampHistogram(
                row=row,
                bounds=bounds,
                agrees=_levelled([sides["true"].get(bound, 0.0) for bound in bounds]),
                differs=_levelled([sides["false"].get(bound, 0.0) for bound in bounds]),
            )
        )
    return tuple(ramps)


def _levelled(counts: Sequence[float]) -> tuple[float, ...]:
    """Cumulative counts without falls in the last digits, which sums of the same numbers in another order show; deeper
    ones stay, for they are a fault."""
    result: list[float] = []
    for count in counts:
        falls = result and count < result[-1] and math.isclose(count, result[-1], rel_tol=ROUNDING)
        result.append(result[-1] if falls else count)
    return tuple(result)


def _plain(vectors: Vectors, signal: signals.Signal) -> Vector:
    return vectors.get(signal.name, {})


def _of(name: str, vectors: Vectors, signal: signals.Signal) -> list[tuple[dict[str, str], float]]:
    """The entries of one ensemble that carry all of the signal's labels."""
    return [
        (named, value)
        for labels, value in _plain(vectors, signal).items()
        if (named := dict(labels)).get("ensemble") == name and all(label in named for label in signal.labels)
    ]


def _bound(labels: Mapping[str, str]) -> float:
    return float(labels["le"])


def labels_of(names: tuple[str, ...], values: Mapping[str, str]) -> Labels:
    """Those of `values` that a signal keeps."""
    return tuple(sorted((name, values[name]) for name in names if name in values))
