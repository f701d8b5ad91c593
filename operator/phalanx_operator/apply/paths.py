"""Where the objects that the operator writes lie in the Kubernetes API. Pure."""

from __future__ import annotations

from typing import Final

PLURALS: Final = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Event": "events",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "ServingPool": "servingpools",
    "StudentEnsemble": "studentensembles",
    "TenantAdapter": "tenantadapters",
}
"""A closed set: the operator's RBAC role lists the same kinds. Nodes are for people who drain one."""


def collection(api_version: str, kind: str, namespace: str | None = None) -> str:
    """The path of all objects of a kind, in one namespace or in all.

    Raises:
        KeyError: the operator has no business with this kind.
    """
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{PLURALS[kind]}"


def item(api_version: str, kind: str, namespace: str, name: str) -> str:
    """The path of one object."""
    return f"{collection(api_version, kind, namespace)}/{name}"
