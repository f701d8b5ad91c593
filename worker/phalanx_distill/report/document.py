"""report.json: how a run went and what came out. The manifest keeps the part that serving needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from phalanx_distill.evaluate import Measured
from phalanx_distill.fit import Epoch
from phalanx_distill.prepare import DataFacts

FILE: Final = "report.json"


class StudentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One student: the teacher's row it started from, its weight, and the mean squared residual it left."""

    start: int
    weight: float
    train_residual: float
    validation_residual: float
    history: list[Epoch]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is ensemble or adapter; `source` the teacher or the base; `seconds` by stage, of the last process."""

    kind: str
    fingerprint: str
    digest: str
    source: dict[str, str]
    data: DataFacts
    labels: tuple[str, ...]
    settings: dict[str, Any]
    measured: Measured
    curves: dict[str, list[Epoch]]
    students: list[StudentReport] = []
    seconds: dict[str, float] = {}
    versions: dict[str, str] = {}


def write_report(folder: Path, report: Report) -> None:
    """Write report.json whole or not at all; it is the last file of a run."""
    part = folder / f"{FILE}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    part.replace(folder / FILE)


def read_report(folder: Path) -> Report | None:
    """The report in a folder; None if there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        return None
