"""What the grid refuses, and the cause that an owner of a resource sees.

GridError                      base; `reason` is the contract's cause, `field` the path in the owner's resource
├── ArtifactError              an artifact on disk that must not be served; `file` names the file
│   ├── ArtifactNotFound       there is nothing at the path
│   ├── DigestMismatch         another artifact than the digest names
│   ├── ArtifactCorrupt        a file is damaged, truncated, missing or of the wrong shape
│   └── ArtifactUnsupported    whole, but outside of what this release serves
├── CheckpointError            a checkpoint directory that cannot become a grid
└── AdapterError               an adapter that cannot be used with this grid or now
    ├── BaseMismatch           trained on another grid
    ├── RankTooHigh            larger than the slots of the table
    ├── AdapterNotLoaded       no slot holds it
    └── AdapterTableFull       every slot is in use
"""

from __future__ import annotations

from typing import ClassVar

from phalanx_contract.worker import LoadReason


class GridError(Exception):
    """Base of all refusals; the text is one line, fit for a condition."""

    reason: ClassVar[LoadReason] = LoadReason.INTERNAL
    field: ClassVar[str] = "spec.artifact"

    def __init__(self, message: str, *, file: str = "") -> None:
        self.file = file
        super().__init__(f"{file}: {message}" if file else message)


class ArtifactError(GridError):
    """An artifact must not be served."""

    reason = LoadReason.ARTIFACT_CORRUPT
    field = "spec.artifact.uri"


class ArtifactNotFound(ArtifactError):
    """There is no artifact at the path."""

    reason = LoadReason.ARTIFACT_NOT_FOUND


class DigestMismatch(ArtifactError):
    """The manifest is not the one whose digest was asked for."""

    reason = LoadReason.DIGEST_MISMATCH
    field = "spec.artifact.digest"


class ArtifactCorrupt(ArtifactError):
    """A file differs from what the manifest promises."""


class ArtifactUnsupported(ArtifactError):
    """The artifact is intact, and this release does not serve its like."""

    reason = LoadReason.ARTIFACT_UNSUPPORTED
    field = "spec.artifact"


class CheckpointError(GridError):
    """A checkpoint directory lacks something or holds what no grid can express."""

    reason = LoadReason.ARTIFACT_UNSUPPORTED


class AdapterError(GridError):
    """An adapter cannot be used."""


class BaseMismatch(AdapterError):
    """The adapter was trained on another grid."""

    reason = LoadReason.BASE_MISMATCH


class RankTooHigh(AdapterError):
    """The adapter has a larger rank than every slot has room for."""

    reason = LoadReason.RANK_TOO_HIGH


class AdapterNotLoaded(AdapterError):
    """No slot of the table holds the adapter: put it again, then retry."""


class AdapterTableFull(AdapterError):
    """Every slot is in use: wait until a batch has released one."""

    reason = LoadReason.OUT_OF_MEMORY
