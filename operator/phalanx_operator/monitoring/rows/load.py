"""What comes in, and how fast it is answered. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.ensembles import NAMED, OBJECTIVE, P99, gauge_of, quantile_of, rate_of
from phalanx_operator.monitoring.panels import Panel, Query

PANELS: Final = (
    Panel(
        title="Latency against the objective",
        description="Seconds from the end of tokenization to the answer, per text, and the p99 that the pool promises.",
        unit="s",
        queries=(
            Query(expr=quantile_of(0.5, worker.REQUEST_SECONDS), legend=f"p50 {NAMED}"),
            Query(expr=P99, legend=f"p99 {NAMED}"),
            Query(expr=OBJECTIVE, legend=f"objective {NAMED}"),
        ),
        width=12,
    ),
    Panel(
        title="Answers by status",
        description="Texts in a second by HTTP status; 429 is shed load, 5xx are failures.",
        unit="reqps",
        queries=(Query(expr=rate_of(worker.REQUESTS, "code"), legend=f"{{{{code}}}} {NAMED}"),),
        width=6,
        stacked=True,
    ),
    Panel(
        title="Refused at admission",
        description="Texts in a second that were answered with 429, since even the fewest students could not keep up.",
        unit="reqps",
        queries=(Query(expr=rate_of(worker.SHED), legend=NAMED),),
        width=6,
    ),
    Panel(
        title="Tokens offered and admitted",
        description="Tokens in a second: what load is measured in, since texts differ in length.",
        unit="short",
        queries=(
            Query(expr=rate_of(worker.OFFERED_TOKENS), legend=f"offered {NAMED}"),
            Query(expr=rate_of(worker.TOKENS), legend=f"admitted {NAMED}"),
        ),
    ),
    Panel(
        title="Wait for a batch",
        description="Seconds that texts wait in the queue.",
        unit="s",
        queries=(
            Query(expr=quantile_of(0.5, worker.QUEUE_SECONDS), legend=f"p50 {NAMED}"),
            Query(expr=quantile_of(0.99, worker.QUEUE_SECONDS), legend=f"p99 {NAMED}"),
        ),
    ),
    Panel(
        title="Queue",
        description="Tokens that wait for a batch, over all workers.",
        unit="short",
        queries=(Query(expr=gauge_of("sum", worker.QUEUE_TOKENS), legend=NAMED),),
    ),
)
