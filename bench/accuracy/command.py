"""`python -m bench accuracy`: options, the runs, and the result after every one of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.accuracy.merging import Result, read_result, summary
from bench.accuracy.origin import common, origin_of
from bench.accuracy.plot import plot
from bench.accuracy.processes import Ended, Job, run_jobs
from bench.accuracy.reading import figures_of
from bench.accuracy.recipe import recipe
from bench.accuracy.subjects import SEEDS, TASKS, Subject, subjects
from bench.record import RESULTS, write
from phalanx_distill.report.document import read_report

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Places:
    """Where runs are kept and results written, and what names of encoders and tasks stand for (themselves, else)."""

    runs: Path = ROOT / ".cache" / "bench" / "accuracy"
    teachers: Path = ROOT / ".cache" / "bench" / "teachers"
    students: Path = ROOT / ".cache" / "bench" / "students"
    results: Path = RESULTS
    image: Path = ROOT / "docs" / "img" / "accuracy.png"
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_trials(cls) -> Places:
        """Where runs with settings of their own are kept: they are no part of the result."""
        trials = ROOT / ".cache" / "bench" / "trials"
        return cls(runs=trials / "runs", results=trials, image=trials / "accuracy.png")


def main(arguments: Sequence[str], places: Places | None = None) -> Path:
    """Run what is chosen, and return the result's path. Exits with 1 if a run failed."""
    options = _parser().parse_args(arguments)
    trial = bool(options.students or options.rows or options.settings)
    places = places or (Places.of_trials() if trial else Places())
    chosen = subjects(encoders=options.encoders, tasks=options.tasks, seeds=options.seeds)
    until = time.monotonic() + 60 * options.budget_minutes if options.budget_minutes else None
    path = places.results / "accuracy.json"
    result, failed, done = read_result(path), list[str](), 0
    jobs = [_job(subject, options, places) for subject in chosen]
    for ended in run_jobs(jobs, at_once=options.jobs, until=until):
        done += 1
        print(_take(ended, result, places) + f"  [{done}/{len(jobs)}]", flush=True)
        if ended.code:
            failed.append(ended.job.of.key)
        else:
            path = _write(result, places)
    path = _write(result, places)
    print(
        f"{done} of {len(jobs)} runs ended, {len(jobs) - done} not reached; all that is known: {len(result.runs)} runs"
    )
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; their logs are in {places.runs}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench accuracy", description=__doc__)
    parser.add_argument("--encoders", type=_names, default=tuple(TASKS), help="such as minilm,mpnet (default: both)")
    parser.add_argument("--tasks", type=_names, default=(), help="such as movie,trec50 (default: all of an encoder's)")
    parser.add_argument("--seeds", type=_numbers, default=SEEDS, help="such as 0,1,2 (default)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each (default: 2)")
    parser.add_argument("--budget-minutes", type=float, help="end after so long; the next call goes on")
    parser.add_argument("--students", help="a trial with K or auto, in place of the recipe's")
    parser.add_argument("--rows", help="a trial with L or auto, in place of the recipe's")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="NAME=VALUE", help="a trial, as distill's"
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _names(text))


def _job(subject: Subject, options: argparse.Namespace, places: Places) -> Job[Subject]:
    """`--force`, because the folder is the benchmark's own: other settings replace what it holds."""
    named, settings = places.names, recipe(subject)
    settings |= {"students.count": options.students} if options.students else {}
    settings |= {"students.rows": options.rows} if options.rows else {}
    settings |= dict(setting.split("=", 1) for setting in options.settings)
    command = [
        *(sys.executable, "-m", "phalanx_cli", "distill", "--force"),
        *("--teacher", named.get(subject.encoder, subject.encoder), "--data", named.get(subject.task, subject.task)),
        *("--seed", str(subject.seed), "--out", str(places.runs / subject.folder)),
        *("--teachers", str(places.teachers), "--kept-students", str(places.students)),
        *(part for name, value in settings.items() for part in ("--set", f"{name}={value}")),
    ]
    return Job(subject, tuple(command), places.runs / f"{subject.folder}.log")


def _take(ended: Ended[Subject], result: Result, places: Places) -> str:
    """Add a run to the result; what there is to say of it."""
    subject = ended.job.of
    report = read_report(places.runs / subject.folder)
    if ended.code or report is None:
        return f"{subject.key}: failed with {ended.code}, see {ended.job.log}"
    found, origin = figures_of(report), origin_of(places.runs / f"{subject.folder}.origin.json", report, ended.commit)
    new = result.add(
        subject.key,
        found,
        fingerprint=report.fingerprint,
        settings=common(report),
        commit=origin.commit,
        date=origin.date,
    )
    last = len(report.students)
    gap, teacher, left = found[f"k{last}:difference"], found["teacher"], found[f"k{last}:residual"]
    return (
        f"{subject.key}: teacher {teacher.value:.4f}, {last} students of {found['rows'].value:g} rows"
        f" {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}), one {found['k1:difference'].value:+.4f};"
        f" {left.value:.1%} of the teacher is left over on validation rows" + ("" if new else ", as recorded")
    )


def _write(result: Result, places: Places) -> Path:
    path = write("accuracy", result.summarised(summary), folder=places.results, runs=result.runs)
    if result.runs:
        plot(path, places.image)
    return path
