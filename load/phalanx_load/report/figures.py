"""The form of a report: what `--json` writes. Times in milliseconds where a name ends so, else in seconds."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

LEAST_S: Final = 0.001
"""A rate over less says nothing: requests that are all due at once would have one of infinity."""


class _Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable, keyword-only."""


class Latency(_Frozen, frozen=True):
    """Nearest-rank percentiles: each is a time that was measured."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


class Students(_Frozen, frozen=True):
    """Voters of the answers that say it; `answers` by number of students."""

    mean: float
    least: int
    most: int
    answers: dict[int, int]


class Share(_Frozen, frozen=True):
    """`right` of `scored` answers."""

    scored: int
    right: int

    @property
    def value(self) -> float:
        """The share of right answers."""
        return self.right / self.scored


class Accuracy(_Frozen, frozen=True):
    """Answers held against labels, all together and by the number of students that voted."""

    all: Share
    by_students: dict[int, Share] = {}


class PhaseReport(_Frozen, frozen=True):
    """All requests that were due in the phases of one name.

    offered: due and sent. refused: status 429. lost: any other status but 200, and no status at all; what an
    interruption left open is neither lost nor answered. `statuses` has the sentences `timed out` and `broken` beside
    HTTP's numbers.
    latency: of answers with status 200; of requests that timed out, up to then; of those that broke, the time limit at
    least; and of those that an interruption left open, up to the end. late: how much later than due the generator let
    requests go (a wait for a connection is not in it). missed: share of the offered requests that were lost, or took
    longer than the objective, or were open for longer at an interruption; refused ones, and open ones that are younger,
    are left out.
    """

    name: str
    seconds: float
    offered: int
    answered: int
    refused: int
    lost: int
    statuses: dict[str, int]
    latency: Latency | None
    late: Latency | None
    students: Students | None = None
    early_exits: float | None = None
    accuracy: Accuracy | None = None
    missed: float | None = None

    @property
    def offered_per_s(self) -> float | None:
        """Mean rate of requests; None where there was no time to have a rate in."""
        return self._per_s(self.offered)

    @property
    def answered_per_s(self) -> float | None:
        """Mean rate of answered requests, by when they were due; None likewise."""
        return self._per_s(self.answered)

    def _per_s(self, count: int) -> float | None:
        return count / self.seconds if self.seconds >= LEAST_S else None


class Second(_Frozen, frozen=True):
    """Requests that were due in one slice of time, a second unless `Report.slice_s` says another."""

    at_s: float
    offered: int
    answered: int
    refused: int
    lost: int
    p50_ms: float | None
    p99_ms: float | None
    students_mean: float | None
    students_least: int | None
    students_most: int | None


class Stretch(_Frozen, frozen=True):
    """Where a phase lay in the run."""

    name: str
    start_s: float
    end_s: float


class Report(_Frozen, frozen=True):
    """A whole run. `warnings` are sentences on what makes its figures less than they seem."""

    url: str
    protocol: str
    model: str
    seed: int
    date: str
    objective_ms: float | None
    interrupted: bool
    slice_s: float
    phases: tuple[PhaseReport, ...]
    all: PhaseReport
    series: tuple[Second, ...]
    stretches: tuple[Stretch, ...]
    warnings: tuple[str, ...] = ()
    form: Literal["phalanx.load/v1"] = "phalanx.load/v1"

    def phase(self, name: str) -> PhaseReport:
        """The phases of one name.

        Raises:
            KeyError: there is none.
        """
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)


def encode(report: Report) -> bytes:
    """Indented JSON with a line's end. The rates and shares that readers want are written out."""
    plain = msgspec.to_builtins(report, str_keys=True)
    for data, phase in zip([*plain["phases"], plain["all"]], [*report.phases, report.all], strict=True):
        data |= {"offered_per_s": phase.offered_per_s, "answered_per_s": phase.answered_per_s}
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


def decode(data: bytes) -> Report:
    """A report that `encode` wrote.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(data, type=Report)
