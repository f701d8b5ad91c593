"""What the owner of a resource should do about a load failure, and which field it is about."""

from __future__ import annotations

from typing import Final

from phalanx_contract.worker import LoadReason

_STEPS: Final = {
    LoadReason.FETCH_FAILED: ("spec.artifact.uri", "check that the workers may read the store; it is tried again"),
    LoadReason.ARTIFACT_NOT_FOUND: ("spec.artifact.uri", "upload the artifact or correct the URI; it is tried again"),
    LoadReason.DIGEST_MISMATCH: ("spec.artifact.digest", "copy the digest that `phalanx inspect` prints"),
    LoadReason.ARTIFACT_CORRUPT: ("spec.artifact.uri", "upload the artifact again"),
    LoadReason.ARTIFACT_UNSUPPORTED: ("spec.artifact", "make an artifact that this release serves"),
    LoadReason.STUDENTS_OUT_OF_RANGE: ("spec.students.min", "ask for no more students than the artifact has"),
    LoadReason.BASE_MISMATCH: ("spec.artifact", "train the adapter on the ensemble's present artifact"),
    LoadReason.RANK_TOO_HIGH: (
        "spec.artifact",
        "train it with a lower --rank of `phalanx adapt`, or set PHALANX_WORKER_ADAPTER_RANK in spec.worker.env of the "
        "pool",
    ),
    LoadReason.CACHE_FULL: (
        "spec.artifacts.cacheSize of the pool",
        "raise it, or free the node's disk; it is tried again, and what serves goes on",
    ),
    LoadReason.OUT_OF_MEMORY: ("spec.artifact", "use a smaller artifact, or a pool with more memory"),
    LoadReason.INTERNAL: ("spec.artifact", "read the worker's log and report a bug"),
    LoadReason.NONE: ("spec.artifact", "read the worker's log"),
}


def field_of(reason: LoadReason) -> str:
    """The field to change where the worker named none."""
    return _STEPS[reason][0]


def step_of(reason: LoadReason) -> str:
    """The next step, as the end of a sentence."""
    return _STEPS[reason][1]
