"""The operator's replicas and what they ask of the API server. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_operator import tally
from phalanx_operator.monitoring.panels import Panel, Query
from phalanx_operator.monitoring.promql import rate, select
from phalanx_operator.monitoring.series import LEADER, described
from phalanx_operator.monitoring.variables import W

API_REQUESTS: Final = described(tally.API_REQUESTS)
API_SECONDS: Final = described(tally.API_SECONDS)
POOLS: Final = described(tally.POOLS)
TERMS: Final = described(tally.TERMS)
FENCED: Final = described(tally.FENCED)
RESTARTS: Final = described(tally.WATCH_RESTARTS)
MISSED: Final = described(tally.MISSED)

PANELS: Final = (
    Panel(
        title="Leader",
        description="The replica that may write; the others stand by. Never more than one, and none for seconds only.",
        unit="short",
        queries=(Query(expr=f"sum by (pod) ({select(LEADER)})", legend="{{pod}}"),),
        stacked=True,
    ),
    Panel(
        title="Terms and writes kept back",
        description="In ten minutes: times that a replica became the leader, and writes kept back for want of a lease.",
        unit="short",
        queries=(
            Query(expr=f"sum by (pod) (increase({select(TERMS)}[10m]))", legend="became the leader {{pod}}"),
            Query(expr=f"sum by (pod) (increase({select(FENCED)}[10m]))", legend="kept back {{pod}}"),
        ),
    ),
    Panel(
        title="Pools by stage",
        description="Pools that wait for a change, are due, run, or wait to be tried again.",
        unit="short",
        queries=(Query(expr=f"sum by (state) ({select(POOLS)})", legend="{{state}}"),),
        stacked=True,
    ),
    Panel(
        title="Requests to the API server",
        description="In a second, by verb, resource and HTTP status; `none` is no answer. Watches are not counted.",
        unit="reqps",
        queries=(
            Query(
                expr=rate(API_REQUESTS, window=W, by="verb, resource, code"), legend="{{verb}} {{resource}} {{code}}"
            ),
        ),
    ),
    Panel(
        title="Time of a request to the API server",
        description="p99 of the seconds that a request took, by verb.",
        unit="s",
        queries=(
            Query(
                expr=f"histogram_quantile(0.99, {rate(API_SECONDS, window=W, by='verb, le', suffix='_bucket')})",
                legend="{{verb}}",
            ),
        ),
    ),
    Panel(
        title="Watches",
        description="In ten minutes, by kind: watches that began again with a list, and changes that none told of.",
        unit="short",
        queries=(
            Query(expr=f"sum by (kind) (increase({select(RESTARTS)}[10m]))", legend="began again {{kind}}"),
            Query(expr=f"sum by (kind) (increase({select(MISSED)}[10m]))", legend="missed {{kind}}"),
        ),
    ),
)
