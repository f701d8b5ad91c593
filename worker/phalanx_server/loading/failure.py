"""Why something could not be loaded, in the contract's words."""

from __future__ import annotations

import torch

from phalanx_contract.worker import TRANSIENT, LoadReason
from phalanx_grid import GridError


class LoadFailure(Exception):
    """`field` is the path in the owner's resource that has to change; the message is one line for its condition."""

    def __init__(self, reason: LoadReason, message: str, *, field: str = "spec.artifact.uri") -> None:
        self.reason, self.field = reason, field
        self.message = " ".join(message.split())
        super().__init__(f"{reason}: {self.message}")

    @property
    def transient(self) -> bool:
        """Whether another attempt can succeed without a change of the resource."""
        return self.reason in TRANSIENT


def as_failure(error: BaseException) -> LoadFailure:
    """What a library or the grid raised, in the contract's words."""
    if isinstance(error, GridError):
        return LoadFailure(error.reason, str(error), field=error.field)
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return LoadFailure(LoadReason.OUT_OF_MEMORY, "the worker has no memory for it", field="spec.artifact")
    return LoadFailure(LoadReason.INTERNAL, f"{type(error).__name__}: {error}", field="spec.artifact")
