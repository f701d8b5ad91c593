"""Are users served well? One figure each. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.ensembles import BUSY, OBJECTIVE, P99, rate_of, share_of
from phalanx_operator.monitoring.panels import Panel, Query
from phalanx_operator.monitoring.promql import BY_ENSEMBLE, select
from phalanx_operator.monitoring.variables import ENSEMBLES, NAMESPACES
from phalanx_operator.reconcile import census

PANELS: Final = (
    Panel(
        title="Answers",
        description="Texts answered in a second, refused ones included.",
        unit="reqps",
        queries=(Query(expr=f"sum({rate_of(worker.REQUESTS)})", legend="texts/s"),),
        kind="stat",
        width=4,
    ),
    Panel(
        title="p99 of objective",
        description="The worst ensemble's p99 latency as a share of its pool's objective. Above 100 % it is missed.",
        unit="percentunit",
        queries=(Query(expr=f"max({P99} / on ({BY_ENSEMBLE}) {OBJECTIVE})", legend="worst"),),
        kind="stat",
        width=4,
        bad_above=1.0,
    ),
    Panel(
        title="Refused",
        description="Texts refused with 429 as a share of all, in the worst ensemble.",
        unit="percentunit",
        queries=(Query(expr=f"max({share_of(worker.SHED, worker.REQUESTS)})", legend="worst"),),
        kind="stat",
        width=4,
        bad_above=0.01,
    ),
    Panel(
        title="Accuracy budget left",
        description="The smallest share of the burst budget that any worker has left. At 0 its floor rises.",
        unit="percentunit",
        queries=(Query(expr=f"min({select(worker.ACCURACY_BUDGET_LEFT, ENSEMBLES)})", legend="least"),),
        kind="stat",
        width=4,
        bad_below=0.1,
    ),
    Panel(
        title="Busy",
        description="Share of the time in which the busiest worker's engine computes.",
        unit="percentunit",
        queries=(Query(expr=f"max({BUSY})", legend="busiest"),),
        kind="stat",
        width=4,
        bad_above=0.95,
    ),
    Panel(
        title="Conditions that fail",
        description="Conditions of pools and ensembles that do not hold; the table at the bottom names them.",
        unit="short",
        queries=(Query(expr=f"count({select(census.CONDITION, NAMESPACES)} == 0) or vector(0)", legend="n"),),
        kind="stat",
        width=4,
        bad_above=1,
    ),
)
