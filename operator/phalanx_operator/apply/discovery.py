"""What the API server serves: the operator runs on old and new releases alike."""

from __future__ import annotations

from collections.abc import Collection

from phalanx_contract.runtime import API_VERSION
from phalanx_operator.apply.api import ApiError, KubeApi


async def served_versions(api: KubeApi) -> frozenset[str]:
    """All `group/version`s, such as `policy/v1` (Kubernetes 1.21 and later) and `policy/v1beta1`. Raises ApiError."""
    groups = (await api.get("/apis")).get("groups", [])
    return frozenset(version["groupVersion"] for group in groups for version in group["versions"]) | {"v1"}


async def require_definitions(api: KubeApi, plurals: Collection[str]) -> None:
    """Make sure that our own resources are defined: a watch on what is not would never begin.

    Raises:
        ApiError: some are not (yet), or the server cannot be asked.
    """
    try:
        resources = (await api.get(f"/apis/{API_VERSION}")).get("resources", [])
    except ApiError as error:
        if not error.gone:
            raise
        resources = []
    missing = sorted(set(plurals) - {resource["name"] for resource in resources})
    if missing:
        raise ApiError(404, "NotFound", f"no CustomResourceDefinition of {', '.join(missing)}: apply crds/")
