"""What the workers compute, and what they could. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.ensembles import BUSY, NAMED, WITH, gauge_of, rate_of, share_of
from phalanx_operator.monitoring.panels import Panel, Query
from phalanx_operator.monitoring.promql import BY_ENSEMBLE, of_pool, quantile
from phalanx_operator.monitoring.variables import ENSEMBLES, W

PANELS: Final = (
    Panel(
        title="Busy share",
        description="Share of the time in which a worker's engine computes.",
        unit="percentunit",
        queries=(Query(expr=f"avg by (namespace, pool, pod) ({of_pool(BUSY)})", legend="{{pod}}"),),
    ),
    Panel(
        title="Capacity by number of students",
        description="Tokens a second that all workers compute with so many students, as they measure themselves.",
        unit="short",
        queries=(Query(expr=gauge_of("sum", worker.CAPACITY, "students"), legend=WITH),),
    ),
    Panel(
        title="Time of a batch",
        description="p99 of the seconds that the engine spends on a batch, by number of students.",
        unit="s",
        queries=(
            Query(
                expr=quantile(0.99, worker.BATCH_SECONDS, ENSEMBLES, window=W, by=f"{BY_ENSEMBLE}, students"),
                legend=f"p99 {WITH}",
            ),
        ),
    ),
    Panel(
        title="Tokens computed",
        description="Tokens a second in batches, padding included, by number of students.",
        unit="short",
        queries=(Query(expr=rate_of(worker.BATCH_TOKENS, "students"), legend=WITH),),
        stacked=True,
        width=12,
    ),
    Panel(
        title="Padding",
        description="Share of the computed tokens that is padding: much of it means texts of very mixed lengths.",
        unit="percentunit",
        queries=(
            Query(
                expr=share_of(worker.PADDING_TOKENS, worker.BATCH_TOKENS),
                legend=NAMED,
            ),
        ),
        width=12,
    ),
)
