"""What became of every request, in flat arrays by the request's number."""

from __future__ import annotations

import enum
import math
from array import array
from collections.abc import Iterable

from phalanx_contract.runtime import HEADER_EXIT_ROW, HEADER_STUDENTS
from phalanx_load.protocols import words_of
from phalanx_load.wire.parser import Response

UNKNOWN = -1


class Status(enum.IntEnum):
    """What stands in place of an HTTP status where there is none."""

    NOT_SENT = 0
    """The run was ended before it was due."""
    OPEN = -1
    """Sent, and the run was ended before its answer came. Its latency is its age then: the least that it can be."""
    TIMED_OUT = -2
    """No answer within the time limit."""
    BROKEN = -3
    """The connection was refused, or broke."""


class Record:
    """Index i is the i-th request of the schedule; times in seconds, of the run's clock. NaN is "not yet".

    due_s: when it was to be sent. late_s: how much later the generator let it go; a wait for a connection comes on top,
    and counts as latency. latency_s: from due to its answer, or to when it was given up; what broke was not served any
    sooner than what was given up, and counts as much at least. students: voters of the answer
    (-1: it does not say). early: 1 if it left at a ramp, 0 if not. correct: 1 or 0 against the sample's label, -1
    without one.
    """

    def __init__(self, due_s: Iterable[float]) -> None:
        self.due_s = array("d", due_s)
        count = len(self.due_s)
        self.late_s = array("d", [math.nan]) * count
        self.latency_s = array("d", [math.nan]) * count
        self.status = array("h", [Status.NOT_SENT]) * count
        self.students = array("h", [UNKNOWN]) * count
        self.early = array("b", [0]) * count
        self.correct = array("b", [UNKNOWN]) * count
        self.failures: dict[str, int] = {}
        """How often each kind of failure came, by its sentence."""
        self.errors: dict[int, str] = {}
        """What the server said with the first response of each status but 200 and 429."""
        self.peak_connections = 0
        self.connections_short = False
        """Whether requests waited for a connection because the bound was reached."""
        self.resent = 0
        """Requests that were sent once more, because their kept connection ended before anything of an answer came."""
        self.stopped_s: float | None = None
        """When the run was ended early; None if it was not."""

    @property
    def interrupted(self) -> bool:
        """Whether the run was ended early."""
        return self.stopped_s is not None

    def __len__(self) -> int:
        return len(self.due_s)

    def sent(self, index: int, *, now_s: float) -> None:
        """It is on its way."""
        self.late_s[index] = now_s - self.due_s[index]
        self.status[index] = Status.OPEN

    def answered(self, index: int, response: Response, *, now_s: float) -> None:
        """A response came, whatever its status."""
        self.latency_s[index] = now_s - self.due_s[index]
        self.status[index] = response.status
        if response.status == 200:
            headers = response.headers
            students = headers.get(_STUDENTS, "")
            if students.isdecimal() and len(students) < _DIGITS:
                self.students[index] = int(students)
            self.early[index] = headers.get(_EXIT_ROW, _FINAL) != _FINAL
        elif response.status != 429 and response.status not in self.errors:
            self.errors[response.status] = words_of(response.body)

    def scored(self, index: int, *, correct: bool) -> None:
        """Its answer was held against a label."""
        self.correct[index] = correct

    def timed_out(self, index: int, why: str, *, now_s: float) -> None:
        """It was given up."""
        self._failed(index, Status.TIMED_OUT, why, latency_s=now_s - self.due_s[index])

    def broke(self, index: int, why: str, *, now_s: float, timeout_s: float) -> None:
        """No response can come. A connection is refused in no time, which must not pass for a quick answer."""
        self._failed(index, Status.BROKEN, why, latency_s=max(now_s - self.due_s[index], timeout_s))

    def left_open(self, indices: Iterable[int], *, now_s: float) -> None:
        """The run ends here, and these have waited until now."""
        for index in indices:
            self.latency_s[index] = now_s - self.due_s[index]

    def _failed(self, index: int, status: Status, why: str, *, latency_s: float) -> None:
        self.latency_s[index] = latency_s
        self.status[index] = status
        self.failures[why] = self.failures.get(why, 0) + 1


_STUDENTS = HEADER_STUDENTS.lower()
_EXIT_ROW = HEADER_EXIT_ROW.lower()
_DIGITS = 5
"""A number of students with so many digits is none."""
_FINAL = "final"
"""The exit row of an answer from the whole grid."""
