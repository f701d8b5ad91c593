"""What the demo's burst is to show, and what a run showed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from phalanx_load import Report


def broken(report: Report) -> Iterator[str]:
    """What was promised and did not happen: students drop in the burst and come back, and nothing is lost."""
    calm, during, after = (_mean_students(report, name) for name in ("calm", "burst", "after"))
    if report.all.lost:
        yield "requests failed"
    if not during < calm:
        yield "students did not drop in the burst"
    if not after > during:
        yield "students did not come back"


def title_of(report: Report) -> str:
    """The picture's heading, with the figures of this run: a busy machine may well miss the objective."""
    calm, during, after = (_mean_students(report, name) for name in ("calm", "burst", "after"))
    students = f"A burst: {calm:.1f}, {during:.1f}, then {after:.1f} students on average"
    latency = report.phase("burst").latency
    if latency is None or report.objective_ms is None:
        return students
    verdict = "within" if latency.p99_ms <= report.objective_ms else "over"
    return f"{students}; p99 in it {latency.p99_ms:.0f} ms, {verdict} the objective of {report.objective_ms:.0f} ms"


def _mean_students(report: Report, phase: str) -> float:
    students = report.phase(phase).students
    return students.mean if students else math.nan
