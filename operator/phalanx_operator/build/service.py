"""The Service in front of a pool's workers."""

from __future__ import annotations

from phalanx_contract.runtime import HTTP_PORT, HTTP_PORT_NAME
from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child, selector


def service(pool: ServingPool) -> Manifest:
    """One port, `http`; only ready workers are behind it."""
    port = {"name": HTTP_PORT_NAME, "port": HTTP_PORT, "targetPort": HTTP_PORT_NAME, "protocol": "TCP"}
    return child(pool, api_version="v1", kind="Service", spec={"selector": selector(pool), "ports": [port]})
