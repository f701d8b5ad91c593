"""What the API server serves: the operator runs on old and new releases alike."""

from __future__ import annotations

from phalanx_operator.apply.api import KubeApi


async def served_versions(api: KubeApi) -> frozenset[str]:
    """All `group/version`s, such as `policy/v1` (Kubernetes 1.21 and later) and `policy/v1beta1`. Raises ApiError."""
    groups = (await api.get("/apis")).get("groups", [])
    return frozenset(version["groupVersion"] for group in groups for version in group["versions"]) | {"v1"}
