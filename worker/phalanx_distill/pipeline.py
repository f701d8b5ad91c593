"""`phalanx distill`: teacher, transfer text, students, ramps, measuring, artifact, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from phalanx_distill.compute import Compute
from phalanx_distill.config import DistillSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.evaluate import Measured, measure
from phalanx_distill.output import check_output, finished, work_dir
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
from phalanx_distill.students import Booster, Taught, check_starts, ensemble
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
) -> Report:
    """Make an ensemble artifact at `out`; goes on where an interrupted run stopped, and does nothing if all is there.

    Raises:
        DistillError: rows, settings or the output folder cannot be used; nothing was written then.
        GridError: the teacher's checkpoint cannot be read.
    """
    prepared = prepare(sources.rows, settings.split)
    mark = _fingerprint(sources, settings, prepared, compute)
    done = finished(out, mark)
    if done is not None:
        report.say(f"{out} is up to date")
        return done
    check_output(out, mark, force=force)
    run = Run(mark, sources, settings, prepared, compute, Stages(work_dir(out), mark), report)
    teacher, tokenizer = _teacher_seed(run)
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


def _teacher_seed(run: Run) -> tuple[Grid, Tokenizer]:
    labels = run.prepared.parts.labels
    folder = run.sources.teacher.folder
    grid, tokenizer = import_checkpoint(folder, classes=len(labels), labels=labels, seed=run.settings.seed)
    check_starts(run.settings.students, grid.geometry.rows)
    return grid.to(run.compute.device), tokenizer


def _train(run: Run, teacher: Grid, tokenizer: Tokenizer, out: Path) -> Report:
    with run.clock.stage("teacher"):
        run.curves["teacher"] = train_teacher(run, teacher, tokenizer)
    with run.clock.stage("teacher's answers"):
        transfer = _taught(run, "transfer", teacher, _encode(run, tokenizer, teacher, _transfer_texts(run)))
        rows = [row.text for row in run.prepared.parts.validation]
        validation = _taught(run, "validation", teacher, _encode(run, tokenizer, teacher, rows))
    with run.clock.stage("students"):
        students = Booster(run, teacher, transfer, validation).run()
    grid = ensemble(students).to(run.compute.device)
    with run.clock.stage("ramps"):
        run.curves["ramps"] = train_ramps(run, grid, transfer.corpus, validation.corpus)
    with run.clock.stage("measuring"):
        measured = _measure(run, grid, teacher, tokenizer)
    return save_ensemble(run, grid, tokenizer, students, measured, transfer=len(transfer.corpus), out=out)


def _transfer_texts(run: Run) -> list[str]:
    parts = run.prepared.parts
    return transfer_texts(
        [row.text for row in parts.train],
        run.sources.unlabelled,
        run.settings.transfer,
        held_out=[row.text for row in (*parts.validation, *parts.test)],
        seed=run.settings.seed,
    )


def _encode(run: Run, tokenizer: Tokenizer, grid: Grid, texts: Sequence[str]) -> Corpus:
    return encode(tokenizer, grid, texts, run.settings.max_tokens)


def _taught(run: Run, name: str, teacher: Grid, corpus: Corpus) -> Taught:
    """The teacher's answers, kept: on transfer text they cost as much as an epoch of a student."""
    snapshot = run.stages.load(f"answers-{name}")
    if snapshot is not None:
        return Taught(corpus=corpus, logits=snapshot.tensors["logits"], pooled=snapshot.tensors["pooled"])
    with run.report.stage(f"teacher on {name}", len(corpus)) as advance:
        taught = Taught.of(corpus, predict(teacher, corpus, run.compute, done=advance))
    run.stages.save(f"answers-{name}", {"logits": taught.logits, "pooled": taught.pooled}, {})
    return taught


def _measure(run: Run, grid: Grid, teacher: Grid, tokenizer: Tokenizer) -> Measured:
    """In fp32, as it is served by default."""
    rows = run.prepared.parts.test
    corpus = _encode(run, tokenizer, grid, [row.text for row in rows])
    exact = run.compute.exact()

    def take(output: GridOutput, mask: Tensor) -> tuple[Tensor, ...]:
        return (output.prefix_logits, *(ramp for ramp in output.ramp_logits if ramp is not None))

    with run.report.stage("measuring", 2 * len(corpus)) as advance:
        logits, *ramps = each_batch(grid, corpus, exact, take, done=advance)
        taught = predict(teacher, corpus, exact, done=advance).logits[-1]
    expected = label_indices(grid.labels, rows)
    return measure(logits, expected, dataset=run.sources.rows.name, teacher=taught, ramps=tuple(ramps))
