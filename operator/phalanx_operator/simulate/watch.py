"""The observation that the operator would make: the real windows and quantiles, over what the cohorts expose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from phalanx_operator.decide.types import Observation
from phalanx_operator.observe.assemble import assemble, labels_of
from phalanx_operator.observe.signals import SIGNALS, Labels, Signal, Vector
from phalanx_operator.simulate.cohort import Cohort


def observe(cohorts: Sequence[Cohort], *, now: float) -> Observation:
    """As from scraping every worker: those with two scrapes count, and all of a cohort's are alike."""
    fresh = [cohort for cohort in cohorts if len(cohort.window.scrapes) > 1]
    return assemble(
        {signal.name: _total(fresh, signal) for signal in SIGNALS},
        at=max((cohort.window.scrapes[-1].at for cohort in fresh), default=None),
        seen=sum(cohort.count for cohort in fresh if cohort.ready(now)),
        ready=sum(cohort.count for cohort in cohorts if cohort.ready(now)),
    )


def _total(cohorts: Sequence[Cohort], signal: Signal) -> Vector:
    sums: dict[Labels, float] = defaultdict(float)
    for cohort in cohorts:
        for labels, value in cohort.window.fold(signal).items():
            sums[labels_of(signal.labels, dict(labels))] += cohort.count * value
    return dict(sums)
