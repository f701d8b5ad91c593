"""The demo's figures: accuracy by number of students with 95 % intervals, and latency before, in and after its burst.

Latencies are those of one run on a machine that the load generator shares, so they have no spread: low and high equal
the value.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.record import Figure, write
from demo.__main__ import CACHE, OUT
from phalanx_grid import EnsembleManifest, read_manifest
from phalanx_load.report import decode


def run() -> Path:
    """Run the demo, and write bench/results/demo.json."""
    subprocess.run([sys.executable, "-m", "demo"], check=True)
    manifest, _ = read_manifest(CACHE)
    assert isinstance(manifest, EnsembleManifest) and manifest.accuracy is not None
    measured = {f"accuracy:k{each.students}": each for each in manifest.accuracy.by_k}
    figures = {key: Figure(value=m.accuracy, low=m.low, high=m.high, unit="share") for key, m in measured.items()}
    teacher = manifest.accuracy.teacher
    if teacher is not None:
        figures["accuracy:teacher"] = Figure(value=teacher.accuracy, low=teacher.low, high=teacher.high, unit="share")
    report = decode((OUT / "burst.json").read_bytes())
    for phase in report.phases:
        assert phase.latency is not None and phase.students is not None
        for name, value, unit in (
            ("p50_ms", phase.latency.p50_ms, "ms"),
            ("p99_ms", phase.latency.p99_ms, "ms"),
            ("students_mean", phase.students.mean, "students"),
            ("failed", float(phase.lost), "texts"),
        ):
            figures[f"{phase.name}:{name}"] = Figure(value=value, low=value, high=value, unit=unit)
    return write("demo", figures)
