"""The Pod Security Standard `restricted`, as kubernetes.io/docs/concepts/security/pod-security-standards has it.

Written as a check of its own, since the API server that the end-to-end tests run on is older than the admission plugin.
`restricted` includes `baseline`. Windows' rules are left out: pods here are Linux pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from phalanx_operator.api.types import Manifest

_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SECCOMP: Final = ("RuntimeDefault", "Localhost")
_SELINUX: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    }
)  # fmt: skip
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
_PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")


def violations(template: Manifest) -> list[str]:
    """Paths of the fields of a pod (or pod template) that the standard forbids, or misses."""
    spec = template["spec"]
    found = [*_pod(template.get("metadata", {}), spec)]
    for group in _CONTAINERS:
        for index, container in enumerate(spec.get(group, [])):
            at = f"spec.{group}[{index}]"
            found += [f"{at}.{path}" for path in _container(container, spec.get("securityContext", {}))]
    return found


def _pod(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    context = spec.get("securityContext", {})
    yield from (f"spec.{name}" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    for volume in spec.get("volumes", []):
        yield from (f"spec.volumes {volume['name']}: {kind}" for kind in volume.keys() - _VOLUMES - {"name"})
    for name, value in metadata.get("annotations", {}).items():
        if name.startswith("container.apparmor.security.beta.kubernetes.io/") and value == "unconfined":
            yield f"metadata.annotations {name}"
    for entry in context.get("sysctls", []):
        if entry["name"] not in _SYSCTLS:
            yield f"spec.securityContext.sysctls {entry['name']}"
    yield from (f"spec.securityContext.{path}" for path in _shared(context))


def _shared(context: Mapping[str, Any]) -> Iterator[str]:
    """What pods and containers can both set, and never to these values."""
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot"
    if context.get("runAsUser") == 0:
        yield "runAsUser"
    if context.get("seccompProfile", {}).get("type", _SECCOMP[0]) not in _SECCOMP:
        yield "seccompProfile"
    if context.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield "appArmorProfile"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _SELINUX or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions"


def _container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    context = container.get("securityContext", {})
    yield from (f"securityContext.{path}" for path in _shared(context))
    both = {**pod, **context}
    yield from (f"securityContext.{name}" for name in ("runAsNonRoot", "seccompProfile") if not both.get(name))
    if context.get("privileged"):
        yield "securityContext.privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation"
    if context.get("procMount", "Default") != "Default":
        yield "securityContext.procMount"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "securityContext.capabilities.drop"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "securityContext.capabilities.add"
    yield from (f"ports {port['hostPort']}" for port in container.get("ports", []) if port.get("hostPort"))
    handlers = [container.get(name, {}) for name in _PROBES] + list(container.get("lifecycle", {}).values())
    if any(handler.get(kind, {}).get("host") for handler in handlers for kind in ("httpGet", "tcpSocket")):
        yield "a probe's host"
