"""What a run of the benchmark finds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from phalanx_load import Record, Report, Sample, Schedule

GUARD: Final = "guard"
"""The worker whose burst guard may pick from one student to all."""
FIXED: Final = "fixed"
"""The worker that always uses all."""
ONE: Final = "one"
"""The worker that always uses one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round of capacity, in texts a second: the server's, and the engine's on the same batches.

    `busy` is the share of the time in which the server's engine computed.
    """

    server: float
    engine: float
    busy: float
    batch_texts: float

    @property
    def ratio(self) -> float:
        """What the server makes of its engine."""
        return self.server / self.engine


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """One open-loop run. `samples[i]` is what request i carried."""

    schedule: Schedule
    record: Record
    report: Report
    samples: Sequence[Sample]


@dataclass(kw_only=True, slots=True)
class Measured:
    """All there is to tell: `rounds` by worker, `loads` by worker and share of the capacity, `bursts` by worker.

    `full_right` says of each text whether all students answer it rightly.
    """

    students: int
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    loads: dict[tuple[str, float], Drive] = field(default_factory=dict)
    bursts: dict[str, list[Drive]] = field(default_factory=dict)
    full_right: Mapping[Sample, bool] = field(default_factory=dict)

    @property
    def capacity(self) -> float:
        """Texts a second that the server answers with all students."""
        return statistics.median(each.server for each in self.rounds[FIXED])
