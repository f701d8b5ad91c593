"""What a worker says of itself: `GET /phalanx/status`, read-only.

The operator needs more than a metric can carry without unbounded labels: which model or adapter failed,
and what its owner should do.
"""

from __future__ import annotations

import enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from phalanx_contract.errors import decode
from phalanx_contract.revisions import FIRST_REVISION

STATUS_PATH: Final = "/phalanx/status"


class LoadState(enum.StrEnum):
    """Where a model or an adapter stands in this worker."""

    LOADING = "Loading"
    SERVING = "Serving"
    FAILED = "Failed"

    @classmethod
    def _missing_(cls, value: object) -> LoadState:
        """A state of a later release: not served, as far as this one can tell."""
        return cls.LOADING


class LoadReason(enum.StrEnum):
    """Why something is not served. Each is documented in docs/conditions.md."""

    NONE = ""
    FETCH_FAILED = "FetchFailed"
    """The store could not be read; retried with back-off."""
    ARTIFACT_NOT_FOUND = "ArtifactNotFound"
    """There is nothing at the URI; retried with back-off."""
    DIGEST_MISMATCH = "DigestMismatch"
    """The artifact is not the one that the digest names; permanent until the resource changes."""
    ARTIFACT_CORRUPT = "ArtifactCorrupt"
    """A file of the artifact is damaged or missing; the message names the file."""
    ARTIFACT_UNSUPPORTED = "ArtifactUnsupported"
    """The artifact is whole but outside of what this worker serves (format, classes, geometry)."""
    STUDENTS_OUT_OF_RANGE = "StudentsOutOfRange"
    """The plan asks for more students than the artifact has."""
    BASE_MISMATCH = "BaseMismatch"
    """The adapter was trained on another ensemble artifact."""
    RANK_TOO_HIGH = "RankTooHigh"
    """The worker's slots have no room for an adapter of this rank."""
    CACHE_FULL = "CacheFull"
    """The worker's volume for artifacts has no room; tried again with back-off."""
    OUT_OF_MEMORY = "OutOfMemory"
    """The device or the host has no room."""
    INTERNAL = "InternalError"
    """A defect of the worker; its log has the trace."""

    @classmethod
    def _missing_(cls, value: object) -> LoadReason:
        """A reason of a later release: the message has it in words."""
        return cls.NONE


TRANSIENT: Final = frozenset(
    {
        LoadReason.FETCH_FAILED,
        LoadReason.ARTIFACT_NOT_FOUND,
        LoadReason.ARTIFACT_CORRUPT,
        LoadReason.CACHE_FULL,
        LoadReason.OUT_OF_MEMORY,
    }
)
"""Causes that may go away while the resource stays as it is: a store comes back, an upload is completed, memory or
disk is freed. Workers try them again with back-off; all others wait for another plan."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """Read leniently: during a rollout an older operator must understand a newer worker."""


class AdapterReport(_Record, frozen=True):
    """An adapter that is not served yet, or not at all. Adapters of the plan without a report are served."""

    ensemble: str
    name: str
    digest: str
    state: LoadState
    reason: LoadReason = LoadReason.NONE
    message: str = ""


class Comparison(_Record, frozen=True):
    """What the answers of a candidate were worth since it was loaded, against those of the serving artifact.

    `texts` were answered by both, or by the serving artifact because the candidate failed; `agreeing` alike. The
    seconds are those that either took for the same requests, summed.
    """

    texts: int = 0
    agreeing: int = 0
    candidate_s: float = 0.0
    serving_s: float = 0.0


class EnsembleReport(_Record, frozen=True):
    """One ensemble of the plan in this worker, or the candidate of one (`phalanx_contract.plan.candidate_name`).

    `field` is the path in the StudentEnsemble that the owner should change, such as `spec.artifact.digest`.
    `agreement[k-1]` is the share of held-out rows on which k students answer as all of them do;
    `accuracy[k-1]` is their held-out accuracy. Both come from the artifact's manifest; empty if unknown.
    `digest` is the artifact that answers now; `wanted_digest` the one that the plan names. Of a candidate, `unfit` is
    how many tenants that are answered now would not be in its place: their adapters do not fit it, such as
    `unfit_tenant`'s.
    """

    name: str
    wanted_digest: str
    state: LoadState
    digest: str = ""
    field: str = ""
    reason: LoadReason = LoadReason.NONE
    message: str = ""
    students: int = 0
    rows: int = 0
    ramps: int = 0
    classes: int = 0
    agreement: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    compared: Comparison | None = None
    unfit: int = 0
    unfit_tenant: str = ""


class WorkerStatus(_Record, frozen=True):
    """The whole report. `plan` is the hash of the plan being served, empty before the first one; `plan_revision` is the
    latest that the worker reads (`phalanx_contract.revisions`)."""

    plan: str = ""
    plan_error: Annotated[str, Meta(max_length=4096)] = ""
    ready: bool = False
    draining: bool = False
    version: str = ""
    plan_revision: int = FIRST_REVISION
    ensembles: tuple[EnsembleReport, ...] = ()
    adapters: tuple[AdapterReport, ...] = ()


def parse_status(data: bytes) -> WorkerStatus:
    """Read a worker's report.

    Raises:
        FieldError: not JSON, or a field of the wrong type.
    """
    return decode(data, WorkerStatus)
