"""The demo says of a run what the run showed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.promise import broken, title_of
from phalanx_load import Report
from phalanx_load.report.figures import Latency, PhaseReport, Students


def phase(name: str, *, p99_ms: float, students: float, lost: int = 0) -> PhaseReport:
    latency = Latency(p50_ms=1, p90_ms=1, p99_ms=p99_ms, p999_ms=p99_ms, max_ms=p99_ms)
    return PhaseReport(
        name=name, seconds=10, offered=10, answered=10 - lost, refused=0, lost=lost, statuses={}, latency=latency,
        late=None, students=Students(mean=students, least=1, most=4, answers={}),
    )  # fmt: skip


def report(*students: float, p99_ms: float = 100, lost: int = 0) -> Report:
    """A run of calm, burst and calm again, with so many students on average."""
    parts = zip(("calm", "burst", "after"), students, strict=True)
    phases = tuple(phase(name, p99_ms=p99_ms, students=mean) for name, mean in parts)
    return Report(
        url="", protocol="", model="", seed=0, date="", objective_ms=150, interrupted=False, slice_s=1, phases=phases,
        all=phase("all", p99_ms=p99_ms, students=2, lost=lost), series=(), stretches=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (report(4, 1, 3), []),
        (report(4, 1, 3, p99_ms=900), []),
        (report(4, 1, 3, lost=1), ["requests failed"]),
        (report(4, 4, 4), ["students did not drop in the burst", "students did not come back"]),
    ],
    ids=["kept", "late", "lost", "flat"],
)
def test_a_broken_promise_is_named(run: Report, said: list[str]) -> None:
    assert list(broken(run)) == said


@pytest.mark.parametrize(
    ("p99_ms", "verdict"), [(121, "121 ms, within"), (150, "150 ms, within"), (964, "964 ms, over")]
)
def test_the_title_holds_the_runs_latency_against_its_objective(p99_ms: float, verdict: str) -> None:
    assert title_of(report(4, 1, 3, p99_ms=p99_ms)).endswith(f"p99 in it {verdict} the objective of 150 ms")


def test_asking_for_help_runs_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "--help"]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, []), done.stderr
    assert "demo-out" in done.stdout
