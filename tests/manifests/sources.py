"""Every manifest that leaves this repository: the chart's, those that the operator builds, the files to apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import yaml

from phalanx_contract.plan import Artifact, Ensemble, Plan
from phalanx_contract.wire import pack
from phalanx_operator.api.parse import parse_ensemble, parse_pool
from phalanx_operator.api.types import Distill, Manifest
from phalanx_operator.build import Versions, build_pool, distillation_job
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


def built(pool: str, *, recent: bool = True) -> list[Manifest]:
    """What the operator applies for one of the pools, with a plan in several parts, and Jobs of its ensembles.

    `recent` says whether the cluster is one of those whose Jobs get a failure policy, and budgets an eviction policy.
    """
    artifact = Artifact(uri="pvc://models/m", digest=objects.DIGEST)
    ensembles = tuple(Ensemble(name=f"m{index}", artifact=artifact) for index in range(20))
    plan_hash, files = pack(
        Plan(namespace="default", pool=pool, objective_p99_s=0.05, ensembles=ensembles), max_part_bytes=200
    )
    spec = parse_pool(objects.pool(pool, **POOLS[pool]))
    versions = Versions(worker_image="phalanx-worker:1", eviction_policy=recent)
    return [
        *build_pool(spec, plan_files=files, plan_hash=plan_hash, replicas=1, versions=versions),
        *_jobs(pool, failure_policy=recent),
    ]


def _jobs(pool: str, *, failure_policy: bool) -> list[Manifest]:
    """Jobs for ensembles of the pool: one that asks for nothing, and one that asks for all."""
    spec = parse_pool(objects.pool(pool, **POOLS[pool]))
    distill = {
        "settings": {"teacher": {"count": 2}},
        "deadlineSeconds": 60,
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "image": "own/distill:2",
        "serviceAccountName": "writer",
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    }
    jobs = []
    for name, asked in (("least", {}), ("most", distill)):
        ensemble = parse_ensemble(objects.distilled(name, pool=pool, distill=asked))
        assert isinstance(ensemble.source, Distill)
        jobs.append(
            distillation_job(
                ensemble, ensemble.source, spec, default_image="phalanx-worker:1", failure_policy=failure_policy
            )
        )
    return jobs


def documents() -> Iterator[tuple[str, Manifest]]:
    """Every object in crds/ and examples/, with the file's name."""
    for file in FILES:
        for document in yaml.safe_load_all(file.read_text()):
            if document is not None:
                yield str(file.relative_to(REPOSITORY)), document
