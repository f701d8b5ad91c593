"""What the operator does: workers, plans, decisions, its own rounds. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.panels import Panel, Query
from phalanx_operator.monitoring.promql import of_pool, rate, select
from phalanx_operator.monitoring.series import DECISIONS, ROUND_SECONDS, ROUNDS
from phalanx_operator.monitoring.variables import NAMESPACES, PODS, POOLS, W
from phalanx_operator.reconcile import census

_BY_POOL: Final = "namespace, pool"

PANELS: Final = (
    Panel(
        title="Workers",
        description="Workers of each pool: wanted, present, ready.",
        unit="short",
        queries=(
            Query(
                expr=f"max by (namespace, pool, state) ({select(census.REPLICAS, POOLS)})",
                legend="{{state}} {{namespace}}/{{pool}}",
            ),
        ),
    ),
    Panel(
        title="Workers by plan",
        description="Workers that serve each plan. In step there is one line for a pool; two while a change travels.",
        unit="short",
        queries=(
            Query(
                expr=f"count by ({_BY_POOL}, hash) ({of_pool(select(worker.PLAN_INFO, PODS))})",
                legend="{{namespace}}/{{pool}} {{hash}}",
            ),
        ),
    ),
    Panel(
        title="Plans taken over and refused",
        description="In a minute, over all workers. A worker that refuses a torn or invalid plan keeps the one it has.",
        unit="short",
        queries=(
            Query(
                expr=f"60 * sum by ({_BY_POOL}) ({of_pool(f'rate({select(worker.PLAN_SWAPS, PODS)}[{W}])')})",
                legend="taken over {{namespace}}/{{pool}}",
            ),
            Query(
                expr=f"60 * sum by ({_BY_POOL}) ({of_pool(f'rate({select(worker.PLAN_ERRORS, PODS)}[{W}])')})",
                legend="refused {{namespace}}/{{pool}}",
            ),
        ),
    ),
    Panel(
        title="Changes of the operating point",
        description="Decisions in a minute that changed something, by action and reason (docs/decisions.md).",
        unit="short",
        queries=(
            Query(expr=f"60 * {rate(DECISIONS, window=W, by='action, reason')}", legend="{{action}}: {{reason}}"),
        ),
    ),
    Panel(
        title="Rounds of the operator",
        description="Rounds in a second by result. One that failed is done again, with back-off.",
        unit="ops",
        queries=(Query(expr=rate(ROUNDS, window=W, by="result"), legend="{{result}}"),),
    ),
    Panel(
        title="Time of a round",
        description="p50 and p99 of the seconds that the operator spends on one round of one pool.",
        unit="s",
        queries=tuple(
            Query(
                expr=f"histogram_quantile({share}, {rate(ROUND_SECONDS, window=W, by='le', suffix='_bucket')})",
                legend=legend,
            )
            for share, legend in ((0.5, "p50"), (0.99, "p99"))
        ),
    ),
    Panel(
        title="Conditions that fail",
        description="Conditions of pools and ensembles that do not hold; docs/conditions.md has the next steps.",
        unit="short",
        queries=(
            Query(
                expr=f"max by (namespace, kind, name, type, reason) ({select(census.CONDITION, NAMESPACES)}) == 0",
                legend="",
            ),
        ),
        kind="table",
        width=12,
    ),
    Panel(
        title="Latest decisions",
        description="What the operator decided last, by resource; `kubectl phalanx explain` has the sentence.",
        unit="short",
        queries=(
            Query(
                expr=f"max by (namespace, kind, name, field, action, reason) ({select(census.DECISION, NAMESPACES)})",
                legend="",
            ),
        ),
        kind="table",
        width=12,
    ),
)
