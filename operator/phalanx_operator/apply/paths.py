"""Where the objects that the operator writes lie in the Kubernetes API. Pure."""

from __future__ import annotations

from typing import Final

PLURALS: Final = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Event": "events",
    "Job": "jobs",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "Lease": "leases",
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


def resource_of(path: str) -> str:
    """What a request is about, such as `deployments` or `servingpools/status`; a closed set, fit to label a metric."""
    words = _after_group(path)
    if not words:
        return "discovery"
    resource = words[0] if words[0] in PLURALS.values() else "other"
    return f"{resource}/status" if words[2:] == ["status"] else resource


def verb_of(method: str, path: str) -> str:
    """A request as RBAC names it: get, list, create, update, patch or delete."""
    reads = "list" if len(_after_group(path)) == 1 else "get"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, reads)


def _after_group(path: str) -> list[str]:
    """Resource, name and subresource, as far as a path has them."""
    words = path.partition("?")[0].strip("/").split("/")
    words = words[2:] if words[0] == "api" else words[3:]
    return words[2:] if words[:1] == ["namespaces"] and len(words) > 2 else words
