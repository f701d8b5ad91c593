"""Every manifest that leaves this repository: the chart's, those that the operator builds, the files to apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import yaml

from phalanx_contract.plan import Artifact, Ensemble, Plan
from phalanx_contract.wire import pack
from phalanx_operator.api.parse import parse_pool
from phalanx_operator.api.types import Manifest
from phalanx_operator.build import Versions, build_pool
from tests.binaries import REPOSITORY
from tests.operator import objects

FILES: Final = sorted([*(REPOSITORY / "crds").rglob("*.yaml"), *(REPOSITORY / "examples").rglob("*.yaml")])
POOLS: Final = {
    "smallest": {},
    "switched-off": {"replicas": {"min": 0, "count": 0}},
    "full": {
        "replicas": {"min": 1, "max": 4, "count": 2},
        "rollout": {"maxSurge": 1, "maxUnavailable": 0},
        "adapters": {"deviceSlots": 3},
        "artifacts": {"claims": ["models", "more"], "cacheSize": "1Gi", "allow": ["pvc://models"]},
        "networkPolicy": {
            "mode": "Restricted",
            "from": [
                {"podSelector": {}},
                {"namespaceSelector": {"matchLabels": {"team": "search"}}, "podSelector": {"matchLabels": {"a": "b"}}},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            ],
            "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]}, {}],
        },
        "worker": {
            "image": "own/worker:2",
            "imagePullPolicy": "Always",
            "imagePullSecrets": [{"name": "pull"}],
            "resources": {"limits": {"nvidia.com/gpu": 1}, "requests": {"cpu": 0.5, "memory": "2Gi"}},
            "nodeSelector": {"gpu": "yes"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "runtimeClassName": "nvidia",
            "priorityClassName": "high",
            "device": "cuda",
            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        },
    },
}
"""Specs of pools that between them make the builders do all that they can."""


def built(pool: str) -> list[Manifest]:
    """What the operator applies for one of the pools, with a plan in several parts."""
    artifact = Artifact(uri="pvc://models/m", digest=objects.DIGEST)
    ensembles = tuple(Ensemble(name=f"m{index}", artifact=artifact) for index in range(20))
    plan_hash, files = pack(
        Plan(namespace="default", pool=pool, objective_p99_s=0.05, ensembles=ensembles), max_part_bytes=200
    )
    spec = parse_pool(objects.pool(pool, **POOLS[pool]))
    versions = Versions(worker_image="phalanx-worker:1")
    return build_pool(spec, plan_files=files, plan_hash=plan_hash, replicas=1, versions=versions)


def documents() -> Iterator[tuple[str, Manifest]]:
    """Every object in crds/ and examples/, with the file's name."""
    for file in FILES:
        for document in yaml.safe_load_all(file.read_text()):
            if document is not None:
                yield str(file.relative_to(REPOSITORY)), document
