"""What the stages of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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

    `shelf` is a folder that keeps teachers and their answers, which runs with other students may share, and `kept` one
    that keeps students, which runs with more of them, other weights or joint training may share; None keeps them with
    `stages`.
    """

    mark: str
    sources: Sources
    settings: DistillSettings
    prepared: Prepared
    compute: Compute
    stages: Stages
    report: Reporter
    shelf: Path | None = None
    kept: Path | None = None
    clock: Clock = field(default_factory=Clock)
    curves: dict[str, list[Epoch]] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
