"""The template of a worker's pod.

It depends on the pool's spec alone. A plan comes in through ConfigMaps that are mounted whether they exist or not, so
that no change of students, thresholds or adapters ever restarts a pod.
"""

from __future__ import annotations

from typing import Final

from phalanx_contract.limits import MAX_PARTS
from phalanx_contract.runtime import (
    CACHE_DIR,
    CLAIMS_DIR,
    ENV_ADAPTER_SLOTS,
    ENV_CACHE_BYTES,
    ENV_CACHE_DIR,
    ENV_CLAIMS_DIR,
    ENV_DEVICE,
    ENV_DRAIN_S,
    ENV_HOST,
    ENV_PLAN_DIR,
    ENV_POD_NAME,
    ENV_PORT,
    HTTP_PORT,
    HTTP_PORT_NAME,
    PLAN_DIR,
    READY_FAILURES,
    READY_PERIOD_S,
)
from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import labels, plan_config_map_name, selector

CONTAINER: Final = "worker"
LIVE_PATH: Final = "/v2/health/live"
READY_PATH: Final = "/v2/health/ready"
RESTRICTED_POD: Final[Manifest] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
"""With `RESTRICTED_CONTAINER`, what the Pod Security Standard `restricted` asks for, and a read-only root."""
RESTRICTED_CONTAINER: Final[Manifest] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_DRAIN_SHARE: Final = 0.75
"""Of the termination grace, so that a worker ends by itself before it is killed."""


def pod_template(pool: ServingPool, *, default_image: str) -> Manifest:
    """Metadata and spec of the pods."""
    scrape = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(HTTP_PORT),
        "prometheus.io/path": "/metrics",
    }
    return {"metadata": {"labels": labels(pool), "annotations": scrape}, "spec": _spec(pool, default_image)}


def _spec(pool: ServingPool, default_image: str) -> Manifest:
    worker = pool.worker
    spec: Manifest = {
        "serviceAccountName": pool.meta.key.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": worker.termination_grace_s,
        "securityContext": {**RESTRICTED_POD},
        "containers": [_container(pool, default_image)],
        "volumes": _volumes(pool),
        "topologySpreadConstraints": [_spread(pool)],
    }
    optional = {
        "nodeSelector": dict(worker.node_selector),
        "tolerations": [dict(toleration) for toleration in worker.tolerations],
        "runtimeClassName": worker.runtime_class,
        "priorityClassName": worker.priority_class,
        "imagePullSecrets": [{"name": name} for name in worker.image_pull_secrets],
    }
    return spec | {key: value for key, value in optional.items() if value}


def _container(pool: ServingPool, default_image: str) -> Manifest:
    worker = pool.worker
    container: Manifest = {
        "name": CONTAINER,
        "image": worker.image or default_image,
        "command": ["phalanx", "serve"],
        "env": _environment(pool),
        "ports": [{"name": HTTP_PORT_NAME, "containerPort": HTTP_PORT, "protocol": "TCP"}],
        "volumeMounts": _mounts(pool),
        # A first load may take minutes (fetch, warm-up), but the server answers from its first second on.
        "startupProbe": _probe(LIVE_PATH, period_s=2, failures=60),
        "livenessProbe": _probe(LIVE_PATH, period_s=10, failures=6),
        "readinessProbe": _probe(READY_PATH, period_s=READY_PERIOD_S, failures=READY_FAILURES),
        "securityContext": {**RESTRICTED_CONTAINER},
    }
    if worker.resources:
        container["resources"] = resources_of(worker.resources)
    if worker.image_pull_policy:
        container["imagePullPolicy"] = worker.image_pull_policy
    return container


def resources_of(resources: Manifest) -> Manifest:
    """Quantities as text: server-side apply of older API servers refuses `nvidia.com/gpu: 1` as a number."""
    return {
        key: {name: str(amount) for name, amount in value.items()} if key in ("limits", "requests") else value
        for key, value in resources.items()
    }


def _environment(pool: ServingPool) -> list[Manifest]:
    constants = {
        ENV_HOST: "0.0.0.0",  # noqa: S104 - a pod's own network namespace
        ENV_PORT: str(HTTP_PORT),
        ENV_PLAN_DIR: PLAN_DIR,
        ENV_CLAIMS_DIR: CLAIMS_DIR,
        ENV_CACHE_DIR: CACHE_DIR,
        ENV_DEVICE: pool.worker.device,
        ENV_ADAPTER_SLOTS: str(pool.adapter_cache.device_slots),
        ENV_DRAIN_S: str(pool.worker.termination_grace_s * _DRAIN_SHARE),
    }
    if pool.cache_bytes is not None:
        constants[ENV_CACHE_BYTES] = str(pool.cache_bytes)
    own: list[Manifest] = [{"name": name, "value": value} for name, value in constants.items()]
    own.append({"name": ENV_POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    return own + [dict(entry) for entry in pool.worker.env]


def _volumes(pool: ServingPool) -> list[Manifest]:
    sources = [
        {"configMap": {"name": plan_config_map_name(pool.meta.key.name, index), "optional": True}}
        for index in range(MAX_PARTS)
    ]
    claims = [
        {"name": f"claim-{index}", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        for index, claim in enumerate(pool.claims)
    ]
    bound = {} if pool.cache_bytes is None else {"sizeLimit": str(pool.cache_bytes)}
    return [
        {"name": "plan", "projected": {"sources": sources}},
        {"name": "cache", "emptyDir": bound},
        {"name": "tmp", "emptyDir": {}},
        *claims,
    ]


def _mounts(pool: ServingPool) -> list[Manifest]:
    claims = [
        {"name": f"claim-{index}", "mountPath": f"{CLAIMS_DIR}/{claim}", "readOnly": True}
        for index, claim in enumerate(pool.claims)
    ]
    return [
        {"name": "plan", "mountPath": PLAN_DIR, "readOnly": True},
        {"name": "cache", "mountPath": CACHE_DIR},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the root file system is read-only
        *claims,
    ]


def _probe(path: str, *, period_s: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": HTTP_PORT_NAME},
        "periodSeconds": period_s,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _spread(pool: ServingPool) -> Manifest:
    """Workers on different nodes where that is possible."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(pool)},
    }
