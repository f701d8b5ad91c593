"""Queries by ensemble, filtered by the dashboard's variables, and those that several panels show. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_contract.metrics import Metric
from phalanx_operator.monitoring.promql import BY_ENSEMBLE, quantile, rate, select
from phalanx_operator.monitoring.variables import ENSEMBLES, PODS, W
from phalanx_operator.reconcile import census

NAMED: Final = "{{namespace}}/{{ensemble}}"
WITH: Final = f"{NAMED}, {{{{students}}}} students"


def rate_of(metric: Metric, *more: str, suffix: str = "") -> str:
    """Increase a second by ensemble, and by `more` labels."""
    return rate(metric, ENSEMBLES, window=W, by=", ".join((BY_ENSEMBLE, *more)), suffix=suffix)


def gauge_of(fold: str, metric: Metric, *more: str) -> str:
    """The latest values over all workers by ensemble, folded by `sum`, `min`, `max` or `avg`."""
    return f"{fold} by ({', '.join((BY_ENSEMBLE, *more))}) ({select(metric, ENSEMBLES)})"


def quantile_of(share: float, metric: Metric) -> str:
    """A quantile of a histogram by ensemble."""
    return quantile(share, metric, ENSEMBLES, window=W)


def share_of(part: Metric, whole: Metric) -> str:
    """One counter's rate as a share of another's; nothing where there is no traffic."""
    return f"{rate_of(part)} / on ({BY_ENSEMBLE}) ({rate_of(whole)} > 0)"


P99: Final = quantile_of(0.99, worker.REQUEST_SECONDS)
OBJECTIVE: Final = gauge_of("max", census.OBJECTIVE)
BUSY: Final = f"rate({select(worker.BUSY_SECONDS, PODS)}[{W}])"
