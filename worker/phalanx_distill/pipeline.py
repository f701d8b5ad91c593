"""`phalanx distill`: teacher, transfer text, students, ramps, measuring, artifact, report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from phalanx_distill.lock import locked
from phalanx_distill.noting import note_corpus, note_sources, note_taught
from phalanx_distill.output import check_output, finished, work_dir
from phalanx_distill.packaged import pooled_texts
from phalanx_distill.predict import each_batch, predict
from phalanx_distill.prepare import Prepared, prepare
from phalanx_distill.progress import Reporter
from phalanx_distill.ramps import train_ramps
from phalanx_distill.report.document import Report
from phalanx_distill.report.write import ensure_page
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.run import Run
from phalanx_distill.saving import save_ensemble
from phalanx_distill.sources import Sources
from phalanx_distill.stages import Stages, fingerprint
from phalanx_distill.students import check_students
from phalanx_distill.taught import Taught, taught
from phalanx_distill.teacher import encode, label_indices, train_teacher
from phalanx_distill.transfer import transfer_texts
from phalanx_grid import Grid, GridOutput, Tokenizer, import_checkpoint


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
) -> Report:
    """Make an ensemble artifact at `out`; goes on where an interrupted run stopped, and does nothing if all is there.

    `teachers` is a folder that keeps fine-tuned teachers and their answers for runs that differ in students alone.

    Raises:
        DistillError: rows, settings or the output folder cannot be used; nothing was written then.
        GridError: the teacher's checkpoint cannot be read.
    """
    prepared = prepare(sources.rows, settings.split)
    sources = replace(sources, unlabelled=(*sources.unlabelled, *pooled_texts(settings.transfer.sources)))
    mark = _fingerprint(sources, settings, prepared, compute)
    done = finished(out, mark)
    if done is not None:
        report.say(f"{out} is up to date")
        ensure_page(out, done)
        return done
    check_output(out, mark, force=force)
    run = Run(mark, sources, settings, prepared, compute, Stages(work_dir(out), mark), report)
    if teachers is not None:
        run.lessons = Stages(teachers, _teacher_fingerprint(run))
    teacher, tokenizer = teacher_seed(run)
    with locked(work_dir(out)):
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
        rows=prepared.facts.sha256,
        unlabelled=sources.unlabelled,
        dtype=str(compute.dtype),
    )


def _teacher_fingerprint(run: Run) -> str:
    settings = run.settings
    return fingerprint(
        algorithm=ALGORITHM,
        kind="teacher",
        settings=(settings.seed, settings.max_tokens, settings.split, settings.teacher),
        teacher=run.sources.teacher.sha256,
        rows=run.prepared.facts.sha256,
        dtype=str(run.compute.dtype),
    )


def teacher_seed(run: Run) -> tuple[Grid, Tokenizer]:
    """The teacher before it is fine-tuned, with a fresh head for the rows' labels.

    Raises:
        SettingError: the students' settings do not fit it.
    """
    labels = run.prepared.parts.labels
    folder = run.sources.teacher.folder
    grid, tokenizer = import_checkpoint(folder, classes=len(labels), labels=labels, seed=run.settings.seed)
    check_students(run.settings.students, grid.geometry.rows)
    return grid.to(run.compute.device), tokenizer


def teach(run: Run, teacher: Grid, tokenizer: Tokenizer) -> tuple[Taught, Taught]:
    """What the fine-tuned teacher says of transfer text and of validation rows."""
    parts = run.prepared.parts
    texts = transfer_texts(
        [row.text for row in parts.train],
        run.sources.unlabelled,
        run.settings.transfer,
        held_out=[row.text for row in (*parts.validation, *parts.test)],
        seed=run.settings.seed,
    )
    note_sources(run, texts)
    short = min(run.settings.max_tokens, run.settings.transfer.max_tokens)
    transfer = encode(tokenizer, teacher, texts, short)
    validation = _encode(run, tokenizer, teacher, [row.text for row in parts.validation])
    labels = label_indices(teacher.labels, parts.train)
    return taught(run, "transfer", teacher, transfer, labels), taught(run, "validation", teacher, validation)


def _train(run: Run, teacher: Grid, tokenizer: Tokenizer, out: Path) -> Report:
    with _lessons(run):
        with run.clock.stage("teacher"):
            run.curves["teacher"] = train_teacher(run, teacher, tokenizer)
        with run.clock.stage("teacher's answers"):
            transfer, validation = teach(run, teacher, tokenizer)
    note_taught(run, transfer, validation)
    with run.clock.stage("students"):
        ensemble = train_ensemble(run, teacher, transfer, validation)
    grid = ensemble.grid
    with run.clock.stage("ramps"):
        run.curves["ramps"] = train_ramps(run, grid, transfer.corpus, validation.corpus)
    with run.clock.stage("measuring"):
        measured = _measure(run, grid, teacher, tokenizer)
    return save_ensemble(run, ensemble, tokenizer, measured, transfer=len(transfer), out=out)


@contextmanager
def _lessons(run: Run) -> Iterator[None]:
    """Runs that share a teacher train it once: the first does, the others wait for it."""
    if run.lessons is None:
        yield
        return
    with locked(run.lessons.folder, waiting=lambda: run.report.say("waiting for the run that trains this teacher")):
        run.lessons.open(shared=True)
        yield


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
