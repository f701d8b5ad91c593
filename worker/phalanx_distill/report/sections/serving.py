"""How to serve it."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from phalanx_contract.limits import MAX_NAME
from phalanx_distill.report.blocks import Block, Code, Prose, Section
from phalanx_distill.report.document import Report

API_VERSION: Final = "phalanx.dev/v1alpha1"


def serving_section(report: Report) -> Section:
    """The resource to apply, and the command for one machine."""
    name = resource_name(report.data.name)
    resource = _adapter(name, report) if report.kind == "adapter" else _ensemble(name, report)
    text = yaml.safe_dump(resource, sort_keys=False, allow_unicode=False)
    blocks: list[Block] = [
        Prose("Put the artifact's folder where the pool's workers read, and name it by its digest."),
        Code("The resource, for kubectl apply", text),
    ]
    if report.kind == "ensemble":
        blocks.append(Code("One worker on this machine", f"phalanx serve --artifact DIR --name {name} --port 8080\n"))
    return Section("serving", "How to serve it", tuple(blocks))


def resource_name(text: str) -> str:
    """A name that Kubernetes takes, near the given one."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower())[:MAX_NAME].strip("-")
    return name or "model"


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _ensemble(name: str, report: Report) -> dict[str, Any]:
    artifact = {"uri": f"pvc://models/{name}", "digest": report.digest}
    return _resource("StudentEnsemble", name, {"pool": "encoders", "artifact": artifact, "students": {"min": 1}})


def _adapter(name: str, report: Report) -> dict[str, Any]:
    artifact = {"uri": f"pvc://models/{name}", "digest": report.digest}
    return _resource("TenantAdapter", name, {"ensemble": "NAME", "artifact": artifact})
