"""Names that the operator writes into a pod and the worker reads there: paths, ports, variables, headers."""

from __future__ import annotations

from typing import Final

GROUP: Final = "phalanx.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
FIELD_MANAGER: Final = "phalanx-operator"

PLAN_DIR: Final = "/etc/phalanx/plan"
"""Where the pod mounts the plan's ConfigMaps."""
CLAIMS_DIR: Final = "/var/lib/phalanx/claims"
"""Where the pod mounts PersistentVolumeClaims: `pvc://NAME/PATH` is `CLAIMS_DIR/NAME/PATH`."""
CACHE_DIR: Final = "/var/cache/phalanx"
"""Local copies of artifacts, by digest."""

HTTP_PORT: Final = 8080
HTTP_PORT_NAME: Final = "http"
READY_PERIOD_S: Final = 2
"""Time between two looks at a worker's readiness."""
READY_FAILURES: Final = 2
"""Looks in a row that must find it not ready before routers are told."""

ENV_HOST: Final = "PHALANX_HOST"
ENV_PORT: Final = "PHALANX_PORT"
ENV_PLAN_DIR: Final = "PHALANX_PLAN_DIR"
ENV_CLAIMS_DIR: Final = "PHALANX_CLAIMS_DIR"
ENV_CACHE_DIR: Final = "PHALANX_CACHE_DIR"
ENV_CACHE_BYTES: Final = "PHALANX_CACHE_BYTES"
"""Most bytes that local copies may take; unset or 0 is no bound."""
ENV_DEVICE: Final = "PHALANX_DEVICE"
ENV_POD_NAME: Final = "PHALANX_POD_NAME"
ENV_ADAPTER_SLOTS: Final = "PHALANX_WORKER_ADAPTER_SLOTS"
"""Adapters that a worker holds on the device at a time."""
ENV_DRAIN_S: Final = "PHALANX_WORKER_DRAIN_S"
"""Most seconds that a worker takes to finish its requests after SIGTERM."""
ENV_DRAIN_LAG_S: Final = "PHALANX_WORKER_DRAIN_LAG_S"
"""Seconds after SIGTERM in which a worker still takes new connections. Users may set it: their routers are theirs."""
OPERATOR_ENV: Final = frozenset(
    {
        ENV_HOST, ENV_PORT, ENV_PLAN_DIR, ENV_CLAIMS_DIR, ENV_CACHE_DIR, ENV_CACHE_BYTES, ENV_DEVICE,
        ENV_POD_NAME, ENV_ADAPTER_SLOTS, ENV_DRAIN_S,
    }
)  # fmt: skip
"""The variables that the operator sets in a pod; users may set any other."""

ANNOTATION_BUILT: Final = f"{GROUP}/built"
"""On what is made for a pool: a hash of all that was asked for, by which an operator that starts finds it right."""
ANNOTATION_PLAN: Final = f"{GROUP}/plan"
"""The plan's hash on the pods: touched by the operator so that the kubelet syncs the ConfigMaps at once."""

HEADER_TENANT: Final = "X-Phalanx-Tenant"
HEADER_MODEL: Final = "X-Phalanx-Model"
"""The ensemble, where the protocol has no place for its name (`/predict`, `/embed`) and the pool serves several."""
HEADER_STUDENTS: Final = "X-Phalanx-Students"
HEADER_EXIT_ROW: Final = "X-Phalanx-Exit-Row"
"""The row after which the answer left, or `final`; with several texts, one value for each, comma-separated."""
HEADER_FIDELITY: Final = "X-Phalanx-Fidelity"
HEADER_PLAN: Final = "X-Phalanx-Plan"
HEADER_VERSION: Final = "X-Phalanx-Version"
"""The start of the digest of the artifact that answered, as the Open Inference Protocol's `model_version`."""
