"""Pod objects from a Deployment's template. Pure."""

from __future__ import annotations

import copy
import hashlib
import json

from phalanx_contract.runtime import HTTP_PORT_NAME
from phalanx_operator.api.types import Manifest


def template_hash(deployment: Manifest) -> str:
    """A short hash of the pod template."""
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def pod_of(deployment: Manifest, *, number: int, port: int) -> Manifest:
    """The Pod object of one replica, which listens on `port` of this host."""
    template = copy.deepcopy(deployment["spec"]["template"])
    meta = deployment["metadata"]
    for container in template["spec"]["containers"]:
        for entry in container.get("ports", []):
            if entry.get("name") == HTTP_PORT_NAME:
                entry["containerPort"] = port
    metadata = {
        **template["metadata"],
        "name": f"{meta['name']}-{template_hash(deployment)}-{number}",
        "namespace": meta["namespace"],
        "uid": f"{meta['name']}-{number}",
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
