"""report.json: how a run went and what came out. The manifest keeps the part that serving needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from phalanx_distill.cost import Cost
from phalanx_distill.detail import Detail
from phalanx_distill.errors import OutputError
from phalanx_distill.evaluate import Measured
from phalanx_distill.fit import Epoch
from phalanx_distill.prepare import DataFacts
from phalanx_grid import Interval

FILE: Final = "report.json"


class StudentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One student: the teacher's row it started from, its weight, and the mean squared residual it left.

    `rows` are the teacher's rows one by one, where they are not consecutive from `start` on.
    """

    start: int
    weight: float
    train_residual: float
    validation_residual: float
    history: list[Epoch]
    rows: tuple[int, ...] = ()


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One shape that was tried: K students of L rows.

    `validation_gap` is how much lower its accuracy on validation rows is than the teacher's (negative: higher);
    `seconds` what it took to train.
    """

    students: int
    rows: int
    validation_gap: float
    chosen: bool
    seconds: float


class CorpusFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Texts and tokens of one part: transfer, validation or test."""

    name: str
    texts: int
    tokens: int


class CutFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled rows, and those of them that have more than `limit_tokens` and were cut there.

    `served_tokens` is where the artifact cuts a text.
    """

    rows: int
    cut: int
    limit_tokens: int
    served_tokens: int


class Residual(msgspec.Struct, frozen=True, kw_only=True):
    """The mean square of the teacher's centred logits: what there is to learn before the first student."""

    train: float
    validation: float


class TeacherNote(msgspec.Struct, frozen=True, kw_only=True):
    """One of several teachers: its seed, and its accuracy on the test rows."""

    seed: int
    accuracy: Interval


class Notes(msgspec.Struct, kw_only=True):
    """What a run tells the report beside its measurements; it fills up as the run goes, and all of it is optional.

    `accuracy_budget` is the share by which the ensemble may be less accurate than the teacher. `transfer_sources` are
    transfer texts by where they come from. `prefix_weights[k-1]` is what each of the first k students counts.
    `teachers` are those whose mean students learned, if more than one, and `together` is the accuracy of that mean.
    `warnings` are sentences that the run printed, too.
    """

    accuracy_budget: float | None = None
    warnings: list[str] = []
    candidates: list[Candidate] = []
    corpora: list[CorpusFacts] = []
    cut: CutFacts | None = None
    transfer_sources: dict[str, int] = {}
    untaught: Residual | None = None
    prefix_weights: list[list[float]] = []
    teachers: list[TeacherNote] = []
    together: Interval | None = None
    detail: Detail | None = None
    cost: Cost | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is ensemble or adapter; `source` the teacher or the base; `seconds` by stage, of the last process.

    `files` are the sha256 of the artifact's files by name.
    """

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
    files: dict[str, str] = {}
    notes: Notes = msgspec.field(default_factory=Notes)

    @property
    def candidates(self) -> list[Candidate]:
        """The shapes that were tried; empty if the shape was given."""
        return self.notes.candidates


def write_report(folder: Path, report: Report) -> None:
    """Write report.json whole or not at all; it is the last file of a run."""
    part = folder / f"{FILE}.part"
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        file.flush()
        os.fsync(file)  # snapshots go once it is there
    part.replace(folder / FILE)


def report_of(folder: Path, digest: str) -> Report:
    """The report beside an artifact, by the artifact's digest: no digest covers the report itself.

    Raises:
        OutputError: there is none that can be read, or it is of another artifact.
    """
    report = read_report(folder)
    if report is None:
        raise OutputError(f"{folder / FILE} is missing or cannot be read; distill and adapt write it")
    if report.digest != digest:
        raise OutputError(f"{folder / FILE} is of another artifact, {report.digest}; distil again with --force")
    if not _whole(report.measured):
        raise OutputError(f"{folder / FILE} does not tell all of every number of students; distil again with --force")
    return report


def _whole(measured: Measured) -> bool:
    students = len(measured.accuracy.by_k)
    told = {len(measured.pairs), len(measured.teacher_agreement)}
    return students > 0 and told <= {0, students} and all(pairs.total > 0 for pairs in measured.pairs)


def read_report(folder: Path) -> Report | None:
    """The report in a folder; None if there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
