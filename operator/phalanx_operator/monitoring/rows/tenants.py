"""The tenants' adapters. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_contract import metrics as worker
from phalanx_operator.monitoring.panels import Panel, Query
from phalanx_operator.monitoring.promql import rate, select
from phalanx_operator.monitoring.variables import ENSEMBLES, PODS, W
from phalanx_operator.reconcile import census

PANELS: Final = (
    Panel(
        title="Adapter slots",
        description="Slots for adapters in the workers' device memory. Without free ones adapters are swapped.",
        unit="short",
        queries=(
            Query(
                expr=f"sum by (namespace, ensemble, state) ({select(worker.ADAPTER_SLOTS, ENSEMBLES)})",
                legend="{{state}} {{namespace}}/{{ensemble}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        title="Adapter loads",
        description="Adapters that workers loaded, or failed to load, in a minute.",
        unit="short",
        queries=(
            Query(
                expr=f"60 * {rate(worker.ADAPTER_LOADS, PODS, window=W, by='namespace, result')}",
                legend="{{result}} {{namespace}}",
            ),
        ),
    ),
    Panel(
        title="Tenants by readiness",
        description="TenantAdapters by the reason of their condition Ready; Serving is well.",
        unit="short",
        queries=(
            Query(
                expr=f"max by (namespace, ensemble, reason) ({select(census.ADAPTERS, ENSEMBLES)})",
                legend="{{reason}} {{namespace}}/{{ensemble}}",
            ),
        ),
        stacked=True,
    ),
)
