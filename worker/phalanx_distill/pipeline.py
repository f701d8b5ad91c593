"""`phalanx distill`: teacher, transfer text, students, ramps, measuring, artifact, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from phalanx_distill.compute import Compute
from phalanx_distill.config import DistillSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.cost import cost
from phalanx_distill.detail import look
from phalanx_distill.ensemble import train_ensemble
from phalanx_distill.evaluate import Measured, measure
from phalanx_distill.head import head_mark, tell_head
from phalanx_distill.lock import Waiting, locked
from phalanx_distill.noting import note_corpus, note_cut, note_ignorance, note_taught
from phalanx_distill.output import done_before, work_dir
from phalanx_distill.packaged import pooled_texts
from phalanx_distill.predict import each_batch, predict
from phalanx_distill.prepare import Prepared, prepare
from phalanx_distill.progress import Reporter
from phalanx_distill.ramps import train_ramps
from phalanx_distill.report.document import Report
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.run import Run
from phalanx_distill.saving import save_ensemble
from phalanx_distill.sources import Sources
from phalanx_distill.stages import Stages, fingerprint
from phalanx_distill.teacher import encode, label_indices
from phalanx_distill.teachers import teach, untaught
from phalanx_grid import Grid, GridOutput, Tokenizer


def distill(
    sources: Sources,
    settings: DistillSettings,
    *,
    out: Path,
    compute: Compute,
    report: Reporter,
    force: bool = False,
    keep_work: bool = False,
    teachers: Path | None = None,
    students: Path | None = None,
    waiting: Waiting | None = None,
) -> Report:
    """Make an ensemble artifact at `out`; goes on where an interrupted run stopped, and does nothing if all is there.

    `teachers` is a folder that keeps fine-tuned teachers and their answers for runs that differ in students alone,
    `students` one that keeps students for runs in which the same are trained. With `waiting` a run waits for another
    that has the same `out`, and takes its result if it is the same run; otherwise it is refused.

    Raises:
        DistillError: rows, settings or the output folder cannot be used; nothing was written then.
        GridError: the teacher's checkpoint cannot be read.
    """
    prepared = prepare(sources.rows, settings.split)
    sources = replace(sources, unlabelled=(*sources.unlabelled, *pooled_texts(settings.transfer.sources)))
    mark = _fingerprint(sources, settings, prepared, compute)
    done = done_before(out, mark, force=force, report=report)
    if done is not None:
        return done
    stages = Stages(work_dir(out), mark)
    run = Run(mark, sources, settings, prepared, compute, stages, report, shelf=teachers, kept=students)
    teacher, tokenizer = untaught(run, settings.seed)
    with locked(work_dir(out), waiting=waiting):
        done = done_before(out, mark, force=force, report=report)
        if done is not None:
            return done
        if run.stages.open():
            report.say(f"going on with what {run.stages.root} holds")
        result = _train(run, teacher, tokenizer, out)
        if not keep_work:
            run.stages.clear()
    return result


def _fingerprint(sources: Sources, settings: DistillSettings, prepared: Prepared, compute: Compute) -> str:
    return fingerprint(
        algorithm=ALGORITHM,
        kind="ensemble",
        settings=settings,
        teacher=sources.teacher.sha256,
        configuration=sources.teacher.configuration,
        rows=prepared.facts.sha256,
        unlabelled=sources.unlabelled,
        dtype=str(compute.dtype),
        **head_mark(sources.teacher, prepared.parts.labels),
    )


def _train(run: Run, teacher: Grid, tokenizer: Tokenizer, out: Path) -> Report:
    tell_head(run)
    note_cut(run, teacher, tokenizer)
    transfer, validation = teach(run, teacher, tokenizer)
    note_ignorance(run, validation)
    note_taught(run, transfer, validation)
    with run.clock.stage("students"):
        ensemble = train_ensemble(run, teacher, transfer, validation)
    grid = ensemble.grid
    with run.clock.stage("ramps"):
        run.curves["ramps"] = train_ramps(run, grid, transfer.corpus, validation.corpus)
    with run.clock.stage("measuring"):
        measured = _measure(run, grid, teacher, tokenizer)
    return save_ensemble(run, ensemble, tokenizer, measured, transfer=len(transfer), out=out)


def _encode(run: Run, tokenizer: Tokenizer, grid: Grid, texts: Sequence[str]) -> Corpus:
    return encode(tokenizer, grid, texts, run.settings.max_tokens)


def _measure(run: Run, grid: Grid, teacher: Grid, tokenizer: Tokenizer) -> Measured:
    """In fp32, as it is served by default."""
    rows = run.prepared.parts.test
    corpus = _encode(run, tokenizer, grid, [row.text for row in rows])
    exact = run.compute.exact()

    def take(output: GridOutput, mask: Tensor) -> tuple[Tensor, ...]:
        return (output.prefix_logits, *(ramp for ramp in output.ramp_logits if ramp is not None))

    with run.report.stage("measuring", 2 * len(corpus)) as advance:
        logits, *ramps = each_batch(grid, corpus, exact, take, done=advance)
        reference = predict(teacher, corpus, exact, done=advance).logits[-1]
    expected = label_indices(grid.labels, rows)
    note_corpus(run, "held out", corpus)
    run.notes.detail = look(logits, expected, teacher=reference, ramps=tuple(ramps))
    run.notes.cost = cost(grid, teacher, corpus, exact, seed=run.settings.seed)
    return measure(logits, expected, dataset=run.sources.rows.name, teacher=reference, ramps=tuple(ramps))
