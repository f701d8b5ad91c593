"""The workers' ServiceAccount: no rights, no token; cloud identities can be bound to it."""

from __future__ import annotations

from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child


def service_account(pool: ServingPool) -> Manifest:
    """An account that mounts no token."""
    return child(pool, api_version="v1", kind="ServiceAccount", automountServiceAccountToken=False)
