"""The dashboard's variables, and the label matchers that they make. Pure."""

from __future__ import annotations

from typing import Any, Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.panels import DATASOURCE
from phalanx_operator.monitoring.promql import POD_SUFFIX, select

W: Final = "$__rate_interval"
"""Grafana's window: at least four scrapes, and wider the longer the time range is."""
NAMESPACES: Final = 'namespace=~"$namespace"'
ENSEMBLES: Final = f'{NAMESPACES},ensemble=~"$ensemble"'
PODS: Final = f'{NAMESPACES},pod=~"$pool{POD_SUFFIX}"'
POOLS: Final = f'{NAMESPACES},pool=~"$pool"'

Json = dict[str, Any]


def variables() -> list[Json]:
    """Data source, namespace, pool, ensemble: each narrows those after it. Worker series alone fill them."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    pool = _variable("pool", f"label_values({select(worker.PLAN_INFO, NAMESPACES)}, pod)", f"/^(.+){POD_SUFFIX}$/")
    return [
        source,
        _variable("namespace", f"label_values({select(worker.PLAN_INFO)}, namespace)"),
        pool,
        _variable("ensemble", f"label_values({select(worker.STUDENTS_CEILING, PODS)}, ensemble)"),
    ]


def _variable(name: str, query: str, regex: str = "") -> Json:
    """One with several choices. "All" stands for the listed values, so that a pool narrows the ensembles."""
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "regex": regex,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }
