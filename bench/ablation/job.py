"""One encoder, task and seed in a process: every variant in turn, on one teacher.

`python -m bench.ablation.job` reads what to do as JSON from standard input; what is finished is not repeated.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from bench.ablation.kept import Kept, path_of, read_kept, write_kept
from bench.ablation.plan import settings_of
from bench.ablation.variants import DEFAULT, Variant, named
from bench.accuracy.merging import today
from bench.record import commit
from phalanx_distill.compute import Compute
from phalanx_distill.config import DistillSettings
from phalanx_distill.pipeline import distill
from phalanx_distill.predict import predict
from phalanx_distill.prepare import prepare
from phalanx_distill.progress import Lines, Reporter
from phalanx_distill.report.document import Report
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.sources import Sources, find_checkpoint, find_rows
from phalanx_distill.stages import fingerprint
from phalanx_distill.teacher import encode, label_indices
from phalanx_grid import load_artifact


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process does. `teacher` and `data` are as `phalanx distill` takes them; `base` as `plan.settings_of`."""

    encoder: str
    subject: str
    teacher: str
    data: str
    seed: int
    variants: tuple[str, ...]
    runs: str
    teachers: str
    base: dict[str, Any] | None = None


def main() -> None:
    """Do what standard input says."""
    task, at = msgspec.json.decode(sys.stdin.buffer.read(), type=Task), commit()
    sources = Sources(teacher=find_checkpoint(task.teacher), rows=find_rows(task.data))
    report = Lines(Console(width=160))
    for name in task.variants:
        _measure(task, named(name), sources, report, at)
    shutil.rmtree(_students(task), ignore_errors=True)


def _measure(task: Task, variant: Variant, sources: Sources, report: Reporter, at: str) -> None:
    """Train and measure one variant, unless it is there; `at` is the commit that this process is of."""
    settings = settings_of(variant, encoder=task.encoder, seed=task.seed, base=task.base)
    path = path_of(Path(task.runs), task.subject, variant.name)
    common = {
        "algorithm": ALGORITHM,
        "teacher": sources.teacher.sha256,
        "rows": prepare(sources.rows, settings.split).facts.sha256,
    }
    mark = fingerprint(settings=settings, **common)
    known = read_kept(path)
    if known is not None and known.fingerprint == mark:
        report.say(f"{variant.name} is up to date")
        return
    report.say(f"{task.subject}: {variant.name}")
    out = path.with_suffix("")
    made = distill(
        sources,
        settings,
        out=out,
        compute=Compute.of("cpu"),
        report=report,
        force=True,
        teachers=Path(task.teachers),
        students=_students(task),
    )
    # Seeds of a plan have it in common, and are averaged.
    plan = fingerprint(settings=settings_of(named(DEFAULT), encoder=task.encoder, seed=0, base=task.base), **common)
    right = right_rows(out, sources, settings)
    write_kept(path, _kept(made, right, fingerprint=mark, commit=at, plan=plan))
    shutil.rmtree(out)


def _students(task: Task) -> Path:
    """Where variants find students that an earlier one has trained: those that differ in weights alone, for one."""
    return Path(task.runs) / task.subject / "students"


def right_rows(out: Path, sources: Sources, settings: DistillSettings) -> str:
    """A 1 or a 0 for every held-out row: whether all students answer it rightly, in fp32 as they are served."""
    rows = prepare(sources.rows, settings.split).parts.test
    loaded = load_artifact(out)
    corpus = encode(loaded.tokenizer, loaded.grid, [row.text for row in rows], settings.max_tokens)
    answers = predict(loaded.grid, corpus, Compute.of("cpu").exact()).logits[-1].argmax(-1)
    right = answers == label_indices(loaded.grid.labels, rows)
    return "".join("1" if each else "0" for each in right.tolist())


def _kept(report: Report, right: str, **origin: str) -> Kept:
    untaught = report.notes.untaught
    left = report.students[-1].validation_residual
    return Kept(
        date=today(),
        right=right,
        against_teacher=report.measured.pairs[-1],
        residual=left / untaught.validation if untaught is not None and untaught.validation else 0.0,
        **origin,
    )


if __name__ == "__main__":
    main()
