"""What the stages of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field

from phalanx_distill.clock import Clock
from phalanx_distill.compute import Compute
from phalanx_distill.config import DistillSettings
from phalanx_distill.fit import Epoch
from phalanx_distill.prepare import Prepared
from phalanx_distill.progress import Reporter
from phalanx_distill.report.document import Notes
from phalanx_distill.sources import Sources
from phalanx_distill.stages import Stages


@dataclass(slots=True)
class Run:
    """One run of `phalanx distill`; `mark` is its fingerprint. `curves`, `notes` and `clock` fill up as it goes.

    `lessons` keep the teacher and its answers, which runs with other students may share; None keeps them in `stages`.
    """

    mark: str
    sources: Sources
    settings: DistillSettings
    prepared: Prepared
    compute: Compute
    stages: Stages
    report: Reporter
    lessons: Stages | None = None
    clock: Clock = field(default_factory=Clock)
    curves: dict[str, list[Epoch]] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)

    @property
    def teaching(self) -> Stages:
        """Where the teacher and its answers are kept."""
        return self.lessons or self.stages
