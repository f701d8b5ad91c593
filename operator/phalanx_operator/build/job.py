"""The Job that distils an ensemble's artifact.

It is made once and never changed: a spec that asks for something else has a Job of another name. Its pod holds no right
to the Kubernetes API; it tells the outcome by its termination message, and where it stands over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from phalanx_contract.distillation import ENDING_PATH, ENV_ENDING, ENV_TASK, REFUSED, Task
from phalanx_contract.runtime import (
    API_VERSION,
    CLAIMS_DIR,
    ENV_CLAIMS_DIR,
    ENV_DEVICE,
    ENV_HOST,
    ENV_POD_NAME,
    ENV_PORT,
    FIELD_MANAGER,
    HTTP_PORT,
    HTTP_PORT_NAME,
)
from phalanx_operator.api.identity import job_name, mark_of, task_of
from phalanx_operator.api.locations import claim_of
from phalanx_operator.api.types import Distill, Manifest, ServingPool, StudentEnsemble
from phalanx_operator.build.labels import LABEL_DISTILLS_FOR, LABEL_MARK
from phalanx_operator.build.pod import RESTRICTED_CONTAINER, RESTRICTED_POD, resources_of

CONTAINER: Final = "distill"


def distillation_job(
    ensemble: StudentEnsemble, distill: Distill, pool: ServingPool, *, default_image: str, failure_policy: bool
) -> Manifest:
    """The Job of an ensemble; `failure_policy` says whether the cluster knows `podFailurePolicy`."""
    spec: Manifest = {
        "backoffLimit": distill.retries,
        "template": {
            "metadata": {"labels": _labels(ensemble, distill)},
            "spec": _pod(ensemble, distill, pool, default_image),
        },
    }
    if distill.deadline_s is not None:
        spec["activeDeadlineSeconds"] = distill.deadline_s
    if failure_policy:
        spec["podFailurePolicy"] = _failure_policy()
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(ensemble, distill),
            "namespace": ensemble.meta.key.namespace,
            "labels": _labels(ensemble, distill),
            "ownerReferences": [_owner(ensemble)],
        },
        "spec": spec,
    }


def _labels(ensemble: StudentEnsemble, distill: Distill) -> dict[str, str]:
    """Not the pool's own labels: its selectors, and whoever looks for workers, must not find these pods."""
    return {
        "app.kubernetes.io/name": "phalanx-distillation",
        "app.kubernetes.io/instance": ensemble.meta.key.name,
        "app.kubernetes.io/component": "distillation",
        "app.kubernetes.io/part-of": "phalanx",
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        LABEL_DISTILLS_FOR: ensemble.pool,
        LABEL_MARK: mark_of(ensemble.meta.key, distill),
    }


def _owner(ensemble: StudentEnsemble) -> Manifest:
    """It need not block the owner's deletion, which would take a right to the owner's finalizers."""
    key = ensemble.meta.key
    return {
        "apiVersion": API_VERSION,
        "kind": "StudentEnsemble",
        "name": key.name,
        "uid": ensemble.meta.uid,
        "controller": True,
    }


def _failure_policy() -> Manifest:
    """What no second try would mend ends the Job; evicted pods are replaced without counting."""
    refused = {"containerName": CONTAINER, "operator": "In", "values": [REFUSED]}
    return {
        "rules": [
            {"action": "FailJob", "onExitCodes": refused},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod(ensemble: StudentEnsemble, distill: Distill, pool: ServingPool, default_image: str) -> Manifest:
    worker, task = pool.worker, task_of(ensemble.meta.key, distill)
    spec: Manifest = {
        # A pod that failed stays, and with it what it said.
        "restartPolicy": "Never",
        "serviceAccountName": distill.service_account or pool.meta.key.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            **RESTRICTED_POD,
            "fsGroup": distill.fs_group,
            "fsGroupChangePolicy": "OnRootMismatch",
        },
        "containers": [_container(distill, pool, task, default_image)],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *_volumes(task)],
    }
    optional = {
        "nodeSelector": dict(distill.node_selector),
        "tolerations": [dict(toleration) for toleration in distill.tolerations],
        "runtimeClassName": worker.runtime_class,
        "priorityClassName": worker.priority_class,
        "imagePullSecrets": [{"name": name} for name in worker.image_pull_secrets],
    }
    return spec | {key: value for key, value in optional.items() if value}


def _container(distill: Distill, pool: ServingPool, task: Task, default_image: str) -> Manifest:
    container: Manifest = {
        "name": CONTAINER,
        "image": distill.image or pool.worker.image or default_image,
        "command": ["phalanx", "distill-job"],
        "env": _environment(distill, task),
        "ports": [{"name": HTTP_PORT_NAME, "containerPort": HTTP_PORT, "protocol": "TCP"}],
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the root file system is read-only
            *({"name": f"claim-{i}", "mountPath": f"{CLAIMS_DIR}/{claim}"} for i, claim in enumerate(_claims(task))),
        ],
        "terminationMessagePath": ENDING_PATH,
        # One that was killed has said nothing: the end of its log does.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {**RESTRICTED_CONTAINER},
    }
    if distill.resources:
        container["resources"] = resources_of(distill.resources)
    if pool.worker.image_pull_policy:
        container["imagePullPolicy"] = pool.worker.image_pull_policy
    return container


def _environment(distill: Distill, task: Task) -> list[Manifest]:
    constants = {
        # A kubelet takes `$(NAME)` for a reference and `$$` for a dollar.
        ENV_TASK: msgspec.json.encode(task, order="sorted").decode().replace("$", "$$"),
        ENV_ENDING: ENDING_PATH,
        ENV_HOST: "0.0.0.0",  # noqa: S104 - a pod's own network namespace
        ENV_PORT: str(HTTP_PORT),
        ENV_CLAIMS_DIR: CLAIMS_DIR,
        ENV_DEVICE: "auto",
    }
    own: list[Manifest] = [{"name": name, "value": value} for name, value in constants.items()]
    own.append({"name": ENV_POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    return own + [dict(entry) for entry in distill.env]


def _claims(task: Task) -> Iterator[str]:
    """The claims that a task reads or writes, each once; all may be written to, as a claim is mounted once."""
    uris = (task.teacher, task.data, task.output, task.work or "")
    yield from dict.fromkeys(claim for uri in uris if (claim := claim_of(uri)))


def _volumes(task: Task) -> Iterator[Manifest]:
    """Those that are only read are mounted so: their storage may allow no more."""
    written = {claim_of(uri) for uri in (task.output, task.work or "")}
    for index, claim in enumerate(_claims(task)):
        source: Manifest = {"claimName": claim}
        yield {
            "name": f"claim-{index}",
            "persistentVolumeClaim": source if claim in written else source | {"readOnly": True},
        }
