"""The objects that tests apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.e2e.kube import Object
from tests.e2e.node.images import PACED

CLAIM: Final = "models"
_API: Final = "phalanx.dev/v1alpha1"
_CORE: Final = "v1"


def pool(name: str, **spec: Any) -> Object:
    """A pool of one GPU worker that reads artifacts from the claim. It decides every second.

    It computes in fp32 whatever the machine's CPU multiplies natively, so that its answers can be told from another
    artifact's by their last digits.
    """
    base: Object = {
        "replicas": {"min": 1, "max": 1},
        # Far away: these tests are about plans, and a slow machine must not shed students.
        "objective": {"p99": "30s"},
        "worker": {
            "resources": {"limits": {"nvidia.com/gpu": 1}},
            "terminationGracePeriodSeconds": 10,
            "env": [{"name": "PHALANX_WORKER_DTYPE", "value": "fp32"}],
        },
        "artifacts": {"claims": [CLAIM]},
        "metrics": {"interval": "1s"},
    }
    return _resource("ServingPool", name, base | spec)


def paced_pool(name: str, **spec: Any) -> Object:
    """A pool whose workers have devices of constant speed: what load they can bear does not hang on this machine."""
    base = pool(name)["spec"]["worker"]
    return pool(name, worker=base | {"image": PACED}, **spec)


def ensemble(name: str, *, pool: str, path: str, digest: str, **spec: Any) -> Object:
    """A model in a folder of the claim."""
    base: Object = {
        "pool": pool,
        "artifact": {"uri": f"pvc://{CLAIM}/{path}", "digest": digest},
        "students": {"min": 1},
        "accuracy": {"loss": 1, "burstLoss": 1},
    }
    return _resource("StudentEnsemble", name, base | spec)


def adapter(name: str, *, ensemble: str, path: str, digest: str, **spec: Any) -> Object:
    """A tenant's adapter in a folder of the claim."""
    base: Object = {"ensemble": ensemble, "artifact": {"uri": f"pvc://{CLAIM}/{path}", "digest": digest}}
    return _resource("TenantAdapter", name, base | spec)


def volume(namespace: str, folder: Path) -> list[Object]:
    """A claim that is bound to a folder of this machine: a PersistentVolume and a PersistentVolumeClaim."""
    name = f"{namespace}-{CLAIM}"
    shared: Object = {
        "accessModes": ["ReadOnlyMany"],
        "storageClassName": "",
        "volumeName": name,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return [
        {
            "apiVersion": _CORE,
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadOnlyMany"],
                "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(folder)},
                "claimRef": {"namespace": namespace, "name": CLAIM},
            },
        },
        {
            "apiVersion": _CORE,
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": namespace},
            "spec": shared,
        },
    ]


def _resource(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": spec}
