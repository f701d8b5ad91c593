"""The workers of a pool as addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from phalanx_contract.runtime import HTTP_PORT, HTTP_PORT_NAME
from phalanx_operator.api.types import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One pod that has an address."""

    namespace: str
    pod: str
    host: str
    port: int
    ready: bool = False

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 address, as Prometheus writes the label `instance`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{self.address}"


def targets(pods: Iterable[Manifest]) -> list[Target]:
    """The pods that run, have an address and are not about to end, sorted by name."""
    found = []
    for pod in pods:
        status = pod.get("status", {})
        if status.get("phase") != "Running" or not status.get("podIP") or pod["metadata"].get("deletionTimestamp"):
            continue
        found.append(
            Target(
                namespace=pod["metadata"].get("namespace", ""),
                pod=pod["metadata"]["name"],
                host=status["podIP"],
                port=_port(pod),
                ready=is_ready(pod),
            )
        )
    return sorted(found, key=lambda target: target.pod)


def is_ready(pod: Manifest) -> bool:
    """The pod's condition Ready."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _port(pod: Manifest) -> int:
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
    return next((int(port["containerPort"]) for port in ports if port.get("name") == HTTP_PORT_NAME), HTTP_PORT)
