"""What to look at when an end-to-end test has failed."""

from __future__ import annotations

from typing import Final

from tests.e2e.cluster import SYSTEM, Cluster

_LINES: Final = 60
_KINDS: Final = "servingpools,studentensembles,tenantadapters"
_CONDITIONS: Final = (
    "{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{'\\n'}"
    "{range .status.conditions[*]}    {.type}={.status} {.reason}: {.message}{'\\n'}{end}{end}"
)


def evidence(cluster: Cluster) -> list[tuple[str, str]]:
    """Titled sections for a report: conditions, pods, and the ends of all logs."""
    conditions = ("get", _KINDS, "--all-namespaces", "-o", f"jsonpath={_CONDITIONS}")
    sections = [
        ("conditions", cluster.kubectl(*conditions, check=False)),
        ("pods", cluster.kubectl("get", "pods", "--all-namespaces", "-o", "wide", check=False)),
    ]
    if cluster.pods is None:
        log = cluster.kubectl("logs", "deployment/phalanx-operator", "-n", SYSTEM, f"--tail={_LINES}", check=False)
        return [*sections, ("operator", log)]
    logs = [cluster.pods / "node.log", *sorted(cluster.pods.glob("*/output.log"))]
    for log_file in logs:
        lines = log_file.read_text(errors="replace").splitlines()[-_LINES:]
        sections.append((str(log_file.relative_to(cluster.pods)), "\n".join(lines)))
    return sections
