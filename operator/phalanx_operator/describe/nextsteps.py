"""What to do about a condition or a decision: the same words as in docs/conditions.md and docs/decisions.md. Pure.

Reasons that ask for nothing have no entry. What keeps an artifact from being loaded carries its step in its message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phalanx_contract.conditions import Reason
from phalanx_operator.decide.types import DecisionReason

CONDITIONS: Final[Mapping[str, str]] = {
    Reason.INVALID_NAME: "create the resource under another name: 48 characters at most for a pool, 52 for the others",
    Reason.INVALID_SPEC: "change what the message names",
    Reason.POOL_NOT_FOUND: "create the pool, correct the name, or look at the pool's own conditions",
    Reason.ENSEMBLE_NOT_FOUND: "create it, or correct the name",
    Reason.ENSEMBLE_NOT_ACCEPTED: "look at its conditions",
    Reason.SECRET_NOT_FOUND: "create the Secret with the key",
    Reason.CLAIM_NOT_MOUNTED: "add the claim to `spec.artifacts.claims` of the pool",
    Reason.ARTIFACT_NOT_ALLOWED: "move the artifact, or have its place added to the list",
    Reason.IMAGE_NOT_PINNED: "write `spec.worker.image` as `NAME@sha256:...`",
    Reason.DISTILLATION_NOT_ALLOWED: "set `spec.distillation` of the pool to `Allowed`, or name an artifact",
    Reason.TOO_MANY: "use another pool",
    Reason.NO_WORKERS: "raise `spec.replicas.count`, or look at the Deployment's events (quota, admission)",
    Reason.WORKERS_STARTING: "wait; else read a worker's log",
    Reason.WORKERS_UNSCHEDULABLE: "free a GPU, add nodes, or change the pool's resources, node selector or tolerations",
    Reason.WORKERS_CRASHING: "read its log: `kubectl logs POD --previous`",
    Reason.IMAGE_NOT_PULLED: "correct `spec.worker.image` (or, where the pool names none, the chart's `workerImage`), "
    "or name a Secret in `spec.worker.imagePullSecrets`; `kubectl describe pod` has the registry's words",
    Reason.WORKERS_UPDATING: "wait",
    Reason.UPDATE_STUCK: "read the log of a worker that is not ready; to go back, set `spec.worker` to what it was",
    Reason.PODS_REFUSED: "do what the message asks for: a quota, or an admission policy",
    Reason.POOL_NOT_AVAILABLE: "see `Available` of the ServingPool that the message names",
    Reason.JOB_PENDING: "wait; if the pod cannot be scheduled, free a GPU or change `spec.distill`; where the Job is "
    "suspended, resume it",
    Reason.DISTILLING: "wait",
    Reason.DISTILLATION_FAILED: "change `spec.distill` as the message says, or raise `spec.distill.attempt`",
    Reason.LOADING: "wait",
    Reason.ROLLING_OUT: "none; see `status.rolloutDecision`",
    Reason.ROLLED_BACK: "do what the message says, then change the spec: a new artifact, or any field, tries again",
    Reason.PLAN_PENDING: "wait some seconds; if it stays, read the plan error in the message and the worker's log",
    Reason.WORKERS_OUTDATED: "give the workers this release's image (`spec.worker.image`); after an upgrade, wait",
    Reason.METRICS_MISSING: "check that Prometheus scrapes the workers, or that the operator may reach them",
    Reason.METRICS_STALE: "check the scrape interval and targets of Prometheus",
    Reason.METRICS_INCOMPLETE: "do what the warning in the message asks for",
    Reason.METRICS_UNREACHABLE: "check `spec.metrics.prometheus.url` and network policies",
    Reason.METRICS_UNAUTHORIZED: "do what the message says; a new token or certificate needs no restart",
    Reason.NOT_ACCEPTED: "see `Accepted`",
    Reason.NOT_DISTILLED: "see `Distilled`",
    Reason.NOT_LOADED: "see `Loaded`",
    Reason.APPLY_REFUSED: "change what the message names, or the policy that refuses it",
    Reason.NOT_APPLIED: "see `Applied`",
    Reason.NOT_AVAILABLE: "see `Available`",
    Reason.NOT_COMPLETE: "see `Complete`",
    Reason.PAUSED: "set `spec.paused` to false",
    Reason.UNKNOWN: "wait; if it stays, read the operator's log",
}

DECISIONS: Final[Mapping[str, str]] = {
    DecisionReason.METRICS_MISSING: "see `MetricsAvailable` of the pool",
    DecisionReason.METRICS_STALE: "check Prometheus's scraping",
    DecisionReason.METRICS_INVALID: "check recording rules and clocks",
    DecisionReason.ARTIFACT_UNKNOWN: "see `Loaded`",
    DecisionReason.PAUSED: "set `spec.paused` to false",
    DecisionReason.WITHIN_OBJECTIVE: "for more accuracy at this load: more workers",
    DecisionReason.OBJECTIVE_MISSED: "none; at the floor: more workers, or a looser objective",
    DecisionReason.OVERLOADED: "none; at the floor: more workers",
    DecisionReason.AT_FLOOR: "more workers, a lower `spec.students.min`, or a larger `spec.accuracy.burstLoss`",
    DecisionReason.REPLICAS_PENDING: "see `Available`; the message names a pod that cannot start",
    DecisionReason.WORKERS_CHANGING: "none; it lasts as long as a worker changes its artifact",
    DecisionReason.AT_MAX_REPLICAS: "raise it; until then students stay dropped",
    DecisionReason.EXITS_TOO_FEW_SAMPLES: "wait for traffic",
    DecisionReason.SURGE_WAITS: "free a GPU or raise the quota, or wait: after 60 s it goes on without; where a policy "
    "refuses the pod, do what the message says",
    DecisionReason.SURGE_DOES_NOT_FIT: "none; to have none missing, add a node or raise the quota",
    DecisionReason.REPORTS_MISSING: "see `Available` of the pool; a worker that is ready has to answer the operator",
    DecisionReason.TENANTS_UNFIT: "train adapters on it and name them in the TenantAdapters, or delete these",
    DecisionReason.CANDIDATE_WARMING: "none; where the message names a failure, what it says",
    DecisionReason.CANDIDATE_REFUSED: "do what the message says; it is tried as soon as it may be",
    DecisionReason.CANDIDATE_FAILED: "do what the message says, then change the spec: it is tried again",
    DecisionReason.CANDIDATE_STUCK: "do what the message says, or raise `spec.rollout.progressDeadlineSeconds`",
    DecisionReason.CANARY_RUNNING: "wait for traffic",
    DecisionReason.CANARY_DISAGREES: "look at its answers; if they are right, lower `spec.rollout.canary.minAgreement`",
    DecisionReason.CANARY_SLOW: "use a smaller artifact, or raise `spec.rollout.canary.maxLatencyRatio`",
    DecisionReason.CANARY_INCONCLUSIVE: "lower `spec.rollout.canary.minCompared`, or set `weightPercent` to 0",
    DecisionReason.EXITS_OVER_BUDGET: "none; if it stays, train the ramps again",
}
