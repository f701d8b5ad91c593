"""`python -m bench ablation`: options, the processes, and the result after every one of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.ablation.figures import figures_of, key_of, summary
from bench.ablation.job import Task
from bench.ablation.kept import path_of, read_kept
from bench.ablation.plan import SEEDS, TASKS, is_default, is_varied
from bench.ablation.plot import plot
from bench.ablation.variants import DEFAULT, VARIANTS, named
from bench.accuracy.merging import Result, read_result
from bench.accuracy.processes import Job, run_jobs
from bench.accuracy.subjects import Subject
from bench.record import RESULTS, write

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Places:
    """Where variants are kept and results written; names and base settings of encoders that are not the plan's."""

    runs: Path = ROOT / ".cache" / "bench" / "ablation"
    teachers: Path = ROOT / ".cache" / "bench" / "teachers"
    results: Path = RESULTS
    image: Path = ROOT / "docs" / "img" / "ablation.png"
    names: Mapping[str, str] = field(default_factory=dict)
    base: dict[str, Any] | None = None


def main(arguments: Sequence[str], places: Places | None = None) -> Path:
    """Run what is chosen, and return the result's path. Exits with 1 if a process failed."""
    options, places = _parser().parse_args(arguments), places or Places()
    until = time.monotonic() + 60 * options.budget_minutes if options.budget_minutes else None
    chosen = _subjects(options)
    result, failed = read_result(places.results / "ablation.json"), list[str]()
    for ended in run_jobs([_job(each, options, places) for each in chosen], at_once=options.jobs, until=until):
        print(f"{ended.job.of.key}: " + ("done" if not ended.code else f"failed, see {ended.job.log}"), flush=True)
        failed += [ended.job.of.key] if ended.code else []
        collect(result, chosen, places)
        _write(result, places)
    collect(result, chosen, places)
    path = _write(result, places)
    print(f"{len(result.runs)} runs are known, of {len(chosen) * len(options.variants)} chosen now")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; their logs are in {places.runs}")
    return path


def collect(result: Result, subjects: Sequence[Subject], places: Places) -> None:
    """Take over every variant that is there and has its default, of the same plan, beside it."""
    for subject in subjects:
        default = read_kept(path_of(places.runs, subject.folder, DEFAULT))
        for variant in VARIANTS if default is not None else ():
            kept = read_kept(path_of(places.runs, subject.folder, variant.name))
            if kept is not None and default is not None and kept.plan == default.plan:
                key = key_of(subject.encoder, subject.task, subject.seed, variant.name)
                result.add(
                    key,
                    figures_of(kept, default),
                    fingerprint=f"{kept.fingerprint[:16]}-{default.fingerprint[:16]}",
                    settings=kept.plan,
                    commit=kept.commit,
                    date=kept.date,
                )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench ablation", description=__doc__)
    parser.add_argument("--encoders", type=_names, default=tuple(TASKS), help="such as minilm,mpnet (default: both)")
    parser.add_argument("--tasks", type=_names, default=(), help="such as movie,trec50 (default: the plan's)")
    parser.add_argument("--seeds", type=lambda text: tuple(map(int, _names(text))), default=SEEDS, help="default: 0,1")
    parser.add_argument(
        "--variants", type=_variants, default=tuple(each.name for each in VARIANTS), help="default: all"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at once, one thread each (default: 2)")
    parser.add_argument("--budget-minutes", type=float, help="end after so long; the next call goes on")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _variants(text: str) -> tuple[str, ...]:
    """The default comes first: without it the others cannot be compared."""
    try:
        return tuple(dict.fromkeys([DEFAULT, *(named(name).name for name in _names(text))]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _subjects(options: argparse.Namespace) -> list[Subject]:
    """Seed by seed and task by task, the encoders in turn."""
    return [
        Subject(encoder, task, seed)
        for seed in options.seeds
        for encoder in options.encoders
        for task in (options.tasks or TASKS.get(encoder, ()))
    ]


def _job(subject: Subject, options: argparse.Namespace, places: Places) -> Job[Subject]:
    task = Task(
        encoder=subject.encoder,
        subject=subject.folder,
        teacher=places.names.get(subject.encoder, subject.encoder),
        data=places.names.get(subject.task, subject.task),
        seed=subject.seed,
        variants=tuple(
            name
            for name in options.variants
            if is_varied(named(name), subject.encoder) and not is_default(named(name), subject.encoder)
        ),
        runs=str(places.runs),
        teachers=str(places.teachers),
        base=places.base,
    )
    command = (sys.executable, "-m", "bench.ablation.job")
    return Job(subject, command, places.runs / f"{subject.folder}.log", msgspec.json.encode(task))


def _write(result: Result, places: Places) -> Path:
    path = write("ablation", result.summarised(summary), folder=places.results, runs=result.runs)
    if result.runs:
        plot(path, places.image)
    return path
