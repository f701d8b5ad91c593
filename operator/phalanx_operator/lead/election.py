"""Who leads: the lease algorithm of client-go's `leaderelection` as a state machine. Pure: time is an argument.

    the candidate reads the Lease --> `observed` --> `claim` --> None: somebody else holds it, wait
                                                        |
                                                        +--> a Record: write it, guarded by the version that was read
                                                                |-- refused, or no answer: read again
                                                                +-- written: `wrote`

Two candidates never lead at once, whatever their clocks show:

- A write of the Lease succeeds only on the version that was read, so of two claims one is refused.
- Nobody compares his clock with a time that another one wrote. A candidate counts from when *he* saw the Lease
  change last, which is after it was written; a leader from when *he* asked for the renewal, which is before. So the
  leader stops (`renew_s`) before the other may begin (`lease_s`) as long as no clock runs faster than another by more
  than `lease_s / write_s`.
- A Lease that somebody deletes takes its version with it. It is put back as held by `NOBODY`, and that is waited for: a
  leader by the one that was deleted has stopped by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

NOBODY: Final = "nobody"
"""Holds a Lease that was missing and put back: whoever led by the one before has to have stopped first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long a lease is good for. The defaults are those of Kubernetes' own components."""

    lease_s: float = 15.0
    """Others wait so long after the last renewal that they saw."""
    renew_s: float = 10.0
    """A leader that could not renew for so long begins no write any more."""
    retry_s: float = 2.0
    """Between two renewals, and between two looks at a lease that another one holds."""

    def __post_init__(self) -> None:
        if not self.lease_s > self.renew_s > self.retry_s > 0:
            raise ValueError(f"a lease needs lease_s > renew_s > retry_s > 0, not {self}")

    @property
    def write_s(self) -> float:
        """A write that began in time is given up when so much has passed since the last renewal."""
        return (self.lease_s + self.renew_s) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What the Lease says. `holder` empty: released. The times are for people to read; no decision rests on them."""

    holder: str
    lease_s: float
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""
    """The resourceVersion; empty in a record that is to be created."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One replica's view. Times are seconds of its own clock, which must not stand still while it sleeps.

    `seen` None with a `seen_at`: there was no Lease. `renewed_at`: when it asked for what made it the leader.
    """

    identity: str
    timing: Timing = Timing()
    seen: Record | None = None
    seen_at: float | None = None
    renewed_at: float | None = None

    def __post_init__(self) -> None:
        if self.identity in ("", NOBODY):
            raise ValueError(f"a replica cannot be called {self.identity!r}")


def observed(candidate: Candidate, record: Record | None, *, now: float) -> Candidate:
    """The state after the Lease was read; `now` is when the answer had arrived. None: there is no Lease."""
    first = candidate.seen_at is None
    changed = first or _version(record) != _version(candidate.seen)
    mine = record is not None and record.holder == candidate.identity
    return replace(
        candidate,
        seen=record,
        seen_at=now if changed else candidate.seen_at,
        renewed_at=candidate.renewed_at if mine else None,
    )


def claim(candidate: Candidate, *, now: float, stamp: str) -> Record | None:
    """The record to write now; None while another one may hold the lease. `stamp` is the time for people to read."""
    seen, identity = candidate.seen, candidate.identity
    if candidate.seen_at is None:
        return None
    if seen is None:
        return Record(holder=NOBODY, lease_s=candidate.timing.lease_s, renewed=stamp)
    promised_s = seen.lease_s if seen.lease_s > 0 else candidate.timing.lease_s
    expired = now - candidate.seen_at >= promised_s
    if seen.holder not in ("", identity) and not expired:
        return None
    mine = seen.holder == identity
    return Record(
        holder=identity,
        lease_s=candidate.timing.lease_s,
        acquired=seen.acquired if mine else stamp,
        renewed=stamp,
        transitions=seen.transitions + (not mine),
        version=seen.version,
    )


def wrote(candidate: Candidate, record: Record, *, asked_at: float, now: float) -> Candidate:
    """The state after the server took a claim, with the version that it gave it; `asked_at` is before it was sent."""
    mine = record.holder == candidate.identity
    return replace(candidate, seen=record, seen_at=now, renewed_at=asked_at if mine else None)


def released(candidate: Candidate, *, stamp: str) -> Record | None:
    """The record with which a leader gives the lease away at once; None if it holds none."""
    seen = candidate.seen
    if candidate.renewed_at is None or seen is None or seen.holder != candidate.identity:
        return None
    return replace(seen, holder="", renewed=stamp)


def may_begin_until(candidate: Candidate) -> float | None:
    """When the candidate may begin no write any more; None if it may begin none at all."""
    return None if candidate.renewed_at is None else candidate.renewed_at + candidate.timing.renew_s


def over_by(candidate: Candidate) -> float | None:
    """When no write of the candidate may be under way any more; None if it may begin none at all."""
    return None if candidate.renewed_at is None else candidate.renewed_at + candidate.timing.write_s


def leads(candidate: Candidate, *, now: float) -> bool:
    """Whether the candidate may begin a write."""
    until = may_begin_until(candidate)
    return until is not None and now < until


def _version(record: Record | None) -> str:
    return "" if record is None else record.version
