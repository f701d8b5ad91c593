"""What is wrong with a resource's spec.

SpecError                one resource was refused; `errors` holds everything that was found, not just the first
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from phalanx_contract.conditions import Reason


@dataclass(frozen=True, slots=True)
class SpecIssue:
    """One fault: the path of the field as a user writes it, what is wrong and what to do, and the reason."""

    field: str
    message: str
    reason: Reason = Reason.INVALID_SPEC

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class SpecError(ValueError):
    """A resource that cannot be served as it is written."""

    def __init__(self, errors: Iterable[SpecIssue]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(str(issue) for issue in self.errors))

    @property
    def reason(self) -> Reason:
        """The reason of the first issue, for a condition that has room for one."""
        return self.errors[0].reason if self.errors else Reason.INVALID_SPEC
