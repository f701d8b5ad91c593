"""From a pod to the command line and environment of a process. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phalanx_contract.runtime import ENV_HOST, ENV_PORT, HTTP_PORT, HTTP_PORT_NAME
from phalanx_operator.api.types import Manifest
from phalanx_operator.local.paths import rewrite
from phalanx_operator.local.volumes import Contents

PHALANX: Final = (sys.executable, "-m", "phalanx_cli")
"""What the image's `phalanx` is on this machine."""

_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")


class LaunchError(Exception):
    """A pod asks for something that a plain process cannot have; the text names the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What to start. `env` is the container's own; the caller adds what a process needs of the host's."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def container_of(pod: Manifest) -> Manifest:
    """The one container of a pod.

    Raises:
        LaunchError: there are several, or none, or init containers.
    """
    containers = pod["spec"].get("containers", [])
    if len(containers) != 1 or pod["spec"].get("initContainers"):
        raise LaunchError("spec.containers: the process runner starts pods with exactly one container")
    container: Manifest = containers[0]
    return container


def port_of(container: Manifest) -> int:
    """The container port named `http`, else its first one, else the contract's."""
    ports = {entry.get("name", ""): int(entry["containerPort"]) for entry in container.get("ports", [])}
    return ports.get(HTTP_PORT_NAME) or next(iter(ports.values()), HTTP_PORT)


def plan_launch(pod: Manifest, *, mounts: Mapping[str, Path], contents: Contents, host: str, port: int) -> Launch:
    """The command line and environment for a pod that listens on `host:port`.

    Raises:
        LaunchError: a value of the environment cannot be resolved, or there is no command.
    """
    container = container_of(pod)
    env: dict[str, str] = {}
    for entry in container.get("env", []):
        value = _value(entry, pod, contents, host)
        if value is not None:
            env[entry["name"]] = rewrite(_expand(value, env), mounts)
    env |= {ENV_HOST: host, ENV_PORT: str(port)}
    if "/tmp" in mounts:  # noqa: S108 - the container's own, which is a folder of this pod
        env.setdefault("TMPDIR", str(mounts["/tmp"]))  # noqa: S108
    command = [*container.get("command", ["phalanx"])]
    words = [_expand(word, env) for word in [*command, *container.get("args", [])]]
    # The program itself is the host's; only what it is told lies in the pod.
    program = PHALANX if words[0] == "phalanx" else (words[0],)
    return Launch(argv=(*program, *(rewrite(word, mounts) for word in words[1:])), env=env)


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' `$(NAME)`: unknown names stay as they are, `$$` is a dollar."""

    def resolve(match: re.Match[str]) -> str:
        return "$" if match[1] is None else env.get(match[1], match[0])

    return _REFERENCE.sub(resolve, text)


def _value(entry: dict[str, Any], pod: Manifest, contents: Contents, host: str) -> str | None:
    """The value of one variable; None where an optional reference leads nowhere."""
    if "valueFrom" not in entry:
        return str(entry.get("value", ""))
    source = entry["valueFrom"]
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], pod, host)
    for kind, known in (("secretKeyRef", contents.secrets), ("configMapKeyRef", contents.config_maps)):
        if kind in source:
            reference = source[kind]
            content = known.get(reference["name"], {}).get(reference["key"])
            if content is None and not reference.get("optional"):
                raise LaunchError(f"env {entry['name']}: {reference['name']} has no key {reference['key']}")
            return None if content is None else content.decode()
    raise LaunchError(f"env {entry['name']}: valueFrom {', '.join(source)} is not supported by the process runner")


def _field(path: str, pod: Manifest, host: str) -> str:
    metadata = pod["metadata"]
    known = {
        "metadata.name": metadata.get("name", ""),
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": host,
        "status.hostIP": host,
    }
    if path not in known:
        raise LaunchError(f"fieldRef {path} is not supported by the process runner")
    return str(known[path])
