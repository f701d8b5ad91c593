"""Condition types and reasons of the three resources.

Types are states in PascalCase, reasons are causes in CamelCase (Kubernetes API conventions). Both are closed
sets: docs/conditions.md documents each with its next step, and a test keeps the two equal.
"""

from __future__ import annotations

import enum


class ConditionType(enum.StrEnum):
    """What is being asserted. `Ready` sums up the others."""

    READY = "Ready"
    ACCEPTED = "Accepted"
    """The spec is valid and what it refers to exists."""
    DISTILLED = "Distilled"
    """What the ensemble's spec asks to be distilled is there."""
    LOADED = "Loaded"
    """All workers of the pool hold the artifact that the spec names."""
    APPLIED = "Applied"
    """The cluster has taken what was built for the pool."""
    AVAILABLE = "Available"
    """The pool has its workers running and ready."""
    COMPLETE = "Complete"
    """All workers that the pool wants run, and with the present pod template; Unknown while they are on their way."""
    PLAN_SERVED = "PlanServed"
    """All ready workers serve the current plan."""
    METRICS_AVAILABLE = "MetricsAvailable"
    """Decisions rest on fresh metrics; False means HOLD."""


class ConditionStatus(enum.StrEnum):
    """The three values that Kubernetes knows."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(enum.StrEnum):
    """Why a condition has its status. Worker load reasons (`LoadReason`) appear as reasons too."""

    # Accepted
    VALID = "Valid"
    INVALID_NAME = "InvalidName"
    INVALID_SPEC = "InvalidSpec"
    POOL_NOT_FOUND = "PoolNotFound"
    ENSEMBLE_NOT_FOUND = "EnsembleNotFound"
    ENSEMBLE_NOT_ACCEPTED = "EnsembleNotAccepted"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a password
    CLAIM_NOT_MOUNTED = "ClaimNotMounted"
    ARTIFACT_NOT_ALLOWED = "ArtifactNotAllowed"
    IMAGE_NOT_PINNED = "ImageNotPinned"
    DISTILLATION_NOT_ALLOWED = "DistillationNotAllowed"
    TOO_MANY = "TooMany"
    # Distilled
    JOB_PENDING = "JobPending"
    DISTILLING = "Distilling"
    DISTILLATION_FAILED = "DistillationFailed"
    RESULT_READY = "ResultReady"
    # Applied
    CHILDREN_APPLIED = "ChildrenApplied"
    APPLY_REFUSED = "ApplyRefused"
    # Loaded, Available, PlanServed
    NO_WORKERS = "NoWorkers"
    WORKERS_STARTING = "WorkersStarting"
    WORKERS_READY = "WorkersReady"
    WORKERS_UNSCHEDULABLE = "WorkersUnschedulable"
    WORKERS_CRASHING = "WorkersCrashing"
    IMAGE_NOT_PULLED = "ImageNotPulled"
    POOL_NOT_AVAILABLE = "PoolNotAvailable"
    LOADING = "Loading"
    SERVING = "Serving"
    ROLLING_OUT = "RollingOut"
    ROLLED_BACK = "RolledBack"
    PLAN_PENDING = "PlanPending"
    WORKERS_OUTDATED = "WorkersOutdated"
    PLAN_CURRENT = "PlanCurrent"
    # Complete
    WORKERS_COMPLETE = "WorkersComplete"
    WORKERS_UPDATING = "WorkersUpdating"
    UPDATE_STUCK = "UpdateStuck"
    PODS_REFUSED = "PodsRefused"
    # MetricsAvailable
    METRICS_FRESH = "MetricsFresh"
    METRICS_MISSING = "MetricsMissing"
    METRICS_STALE = "MetricsStale"
    METRICS_INCOMPLETE = "MetricsIncomplete"
    METRICS_UNREACHABLE = "MetricsUnreachable"
    METRICS_UNAUTHORIZED = "MetricsUnauthorized"
    # Ready
    NOT_ACCEPTED = "NotAccepted"
    NOT_DISTILLED = "NotDistilled"
    NOT_LOADED = "NotLoaded"
    NOT_APPLIED = "NotApplied"
    NOT_AVAILABLE = "NotAvailable"
    NOT_COMPLETE = "NotComplete"
    PAUSED = "Paused"
    UNKNOWN = "Unknown"
