"""The NetworkPolicy of a pool's workers, for pools that ask for one."""

from __future__ import annotations

from typing import Final

from phalanx_contract.runtime import HTTP_PORT
from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child, selector

NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
"""On every namespace since Kubernetes 1.21; before, somebody has to put it there."""
_OPERATOR: Final = {"app.kubernetes.io/part-of": "phalanx", "app.kubernetes.io/component": "operator"}
"""Labels that the chart gives to the operator's pods."""


def network_policies(pool: ServingPool, *, operator_namespace: str) -> list[Manifest]:
    """One that lets the operator and the listed peers reach the workers' port; none where the pool asks for none.

    Without an `operator_namespace` (an operator outside of a cluster) pods with its labels are let in from all of them.
    """
    if not pool.network.restricted:
        return []
    sources = [{"podSelector": {}}] if pool.network.sources is None else list(pool.network.sources)
    spec: Manifest = {
        "podSelector": {"matchLabels": selector(pool)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [_operator(operator_namespace), *sources],
                "ports": [{"protocol": "TCP", "port": HTTP_PORT}],
            }
        ],
    }
    if pool.network.egress is not None:
        spec["policyTypes"].append("Egress")
        spec["egress"] = list(pool.network.egress)
    return [child(pool, api_version="networking.k8s.io/v1", kind="NetworkPolicy", spec=spec)]


def _operator(namespace: str) -> Manifest:
    """It asks workers for what they serve, and reads their metrics where there is no Prometheus."""
    labels = {"matchLabels": {NAMESPACE_NAME: namespace}} if namespace else {}
    return {"namespaceSelector": labels, "podSelector": {"matchLabels": dict(_OPERATOR)}}
