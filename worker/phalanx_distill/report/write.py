"""All files of a report, report.json last: its presence says that a run is finished."""

from __future__ import annotations

from pathlib import Path

from phalanx_distill.report.document import Report, write_report
from phalanx_distill.report.plots import write_plots


def write_all(out: Path, report: Report) -> None:
    """Write `report/*.png` and `report.json` beside the artifact's own files."""
    write_plots(out / "report", report)
    write_report(out, report)
