"""The measurement: three workers, the engine alone, and who is asked when."""

from __future__ import annotations

import asyncio
import datetime
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.serving.bare import BareEngine
from bench.serving.capacity import measure_capacity
from bench.serving.measured import FIXED, GUARD, ONE, Drive, Measured
from bench.serving.scale import BASE, DATA, OBJECTIVE_S, SEED, SHARES, SLICE_S, Scale
from bench.serving.worker import Students, Worker
from phalanx_distill.config import SplitSettings
from phalanx_distill.prepare import prepare
from phalanx_distill.sources import find_rows
from phalanx_grid import EnsembleManifest, read_manifest
from phalanx_load import Load, Phase, Sample, Target, drive, make_report, poisson
from phalanx_load.run.exchange import drawn

ARTIFACT: Final = Path(".cache/demo/minilm-trec6-4")


def measure(scale: Scale) -> Measured:
    """Run everything; some minutes.

    Raises:
        SystemExit: there is no artifact to serve.
    """
    if not (ARTIFACT / "manifest.json").exists():
        raise SystemExit(f"no artifact at {ARTIFACT}: run `make demo` once, which distils it")
    manifest, _ = read_manifest(ARTIFACT)
    assert isinstance(manifest, EnsembleManifest)
    total = manifest.geometry.students
    samples = [Sample(row.text, row.label) for row in prepare(find_rows(DATA), SplitSettings()).parts.test]
    ranges = (
        Students(name=GUARD, fewest=1, most=total),
        Students(name=FIXED, fewest=total, most=total),
        Students(name=ONE, fewest=1, most=1),
    )
    console, found = Console(stderr=True), Measured(students=total)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine = stack.enter_context(BareEngine(ARTIFACT, folder))
        guard, fixed, one = (stack.enter_context(Worker(ARTIFACT, students, folder)) for students in ranges)
        # Last of all, as children keep their parent's cores: the generator leaves the other cores to the workers.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        measure_capacity(found, (fixed, one), engine, samples, scale=scale, console=console)
        _loads(found, (guard, fixed), samples, scale, console)
        _bursts(found, (guard, fixed), samples, scale, console)
    return found


def _loads(
    found: Measured, workers: Sequence[Worker], samples: Sequence[Sample], scale: Scale, console: Console
) -> None:
    for number, share in enumerate(SHARES):
        phases = (Phase(name="load", seconds=scale.load_s, rate=share * found.capacity),)
        for worker in _in_turn(workers, number):
            found.loads[worker.students.name, share] = _drive(worker, phases, samples, SEED + number, console)


def _bursts(
    found: Measured, workers: Sequence[Worker], samples: Sequence[Sample], scale: Scale, console: Console
) -> None:
    phases = scale.burst_phases(BASE * found.capacity)
    for number in range(scale.bursts):
        for worker in _in_turn(workers, number):
            driven = _drive(worker, phases, samples, SEED + len(SHARES) + number, console)
            found.bursts.setdefault(worker.students.name, []).append(driven)


def _in_turn(workers: Sequence[Worker], number: int) -> Sequence[Worker]:
    """Each is the first every other time."""
    return workers if number % 2 == 0 else workers[::-1]


def _drive(worker: Worker, phases: Sequence[Phase], samples: Sequence[Sample], seed: int, console: Console) -> Drive:
    load = Load(target=Target(url=worker.url), samples=samples, seed=seed)
    schedule = poisson(phases, seed=seed)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = asyncio.run(drive(load, schedule))
    report = make_report(load, schedule, record, date=date, objective_s=OBJECTIVE_S, slice_s=SLICE_S)
    latency, students = report.all.latency, report.all.students
    assert latency is not None and students is not None
    console.print(
        f"{worker.students.name}: {report.all.offered / schedule.end_s:.0f}/s for {schedule.end_s:.0f} s, p99 "
        f"{latency.p99_ms:.0f} ms, {students.mean:.2f} students, {report.all.refused} refused, {report.all.lost} lost",
        *report.warnings,
        highlight=False,
        soft_wrap=True,
        sep="\n  ",
    )
    return Drive(schedule=schedule, record=record, report=report, samples=drawn(samples, len(schedule), seed=seed))
