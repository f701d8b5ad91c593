"""What one strike did, and whether it broke a promise. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.chaos.plan import Fault
from tests.e2e.traffic import Outcome, Sent

CONVERGED_WITHIN_S: Final = 30.0
GIVEN_UP_S: Final = 90.0
"""What has not converged by then is said not to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """How many had which end. The last four are no answers; only `lost` breaks a promise."""

    answered: int = 0
    refused: int = 0
    unreached: int = 0
    inside: int = 0
    lost: int = 0

    @property
    def sent(self) -> int:
        """All of them."""
        return self.answered + self.refused + self.unreached + self.inside + self.lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A number that was held when the strike came, and the lowest that it was until the next one."""

    held: int
    lowest: int

    def __str__(self) -> str:
        return f"{self.held}" if self.lowest == self.held else f"{self.held} to {self.lowest}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One strike. `down_s` is how long the thing did not run; from then on `converged_s` counts, None for never."""

    fault: Fault
    down_s: float
    requests: Requests
    students: Change
    workers: Change
    converged_s: float | None

    @property
    def broken(self) -> tuple[str, ...]:
        """The promises that were not kept."""
        found = []
        if self.requests.lost:
            found.append(f"lost {self.requests.lost}")
        found += [
            f"{name} fell"
            for name, change in (("students", self.students), ("workers", self.workers))
            if change.lowest < change.held
        ]
        if self.converged_s is None:
            found.append("did not converge")
        elif self.converged_s > CONVERGED_WITHIN_S:
            found.append(f"converged after {CONVERGED_WITHIN_S:g} s")
        return tuple(found)


def count(sent: Iterable[Sent], *, killed: str = "", at: float = 0.0) -> Requests:
    """What became of requests; `killed` is the pod that was killed `at` a time, if one was."""
    ends = Counter(_end(each, killed, at) for each in sent)
    return Requests(**{name: ends[name] for name in Requests.__dataclass_fields__})


def _end(sent: Sent, killed: str, at: float) -> str:
    if sent.outcome in (Outcome.ANSWERED, Outcome.REFUSED):
        return str(sent.outcome)
    if sent.pod and sent.pod == killed:
        # Nobody was there any more to accept what was sent after the kill.
        return "inside" if sent.at <= at else "unreached"
    return "lost"
