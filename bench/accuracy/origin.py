"""Where a run comes from: what it was trained by, and when."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.accuracy.merging import today
from phalanx_distill.report.document import Report
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.stages import fingerprint


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that was checked out when the process started that ended the run, and the day of it."""

    fingerprint: str
    commit: str
    date: str


def origin_of(path: Path, report: Report, commit: str) -> Origin:
    """What stands beside a run; where nothing does of this very run, it has just ended, in a process of `commit`."""
    known = _read(path)
    if known is not None and known.fingerprint == report.fingerprint:
        return known
    origin = Origin(fingerprint=report.fingerprint, commit=commit, date=today())
    path.write_bytes(msgspec.json.encode(origin))
    return origin


def common(report: Report) -> str:
    """Stands for what runs of a task have in common but their seed: settings, labelled rows, and the algorithm."""
    settings = {name: value for name, value in report.settings.items() if name != "seed"}
    return fingerprint(settings=settings, rows=report.data.sha256, algorithm=ALGORITHM)[:12]


def _read(path: Path) -> Origin | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Origin)
    except (OSError, msgspec.DecodeError):
        return None
