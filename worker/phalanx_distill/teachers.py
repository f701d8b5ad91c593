"""The teachers: one or more, fine-tuned one after the other, and what they say on average.

One fine-tuning is a draw: with another seed it errs on other rows, and students copy its errors with the rest. The mean
of several teachers' logits has less of that chance in it (Hinton et al. 2015, section 3, distil an ensemble). Only the
first teacher serves: students are cut from it and measured against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import torch

from phalanx_distill.config import DistillSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.head import check_head, head_mark
from phalanx_distill.lock import locked
from phalanx_distill.noting import note_sources, note_teachers
from phalanx_distill.predict import predict
from phalanx_distill.rules import ALGORITHM
from phalanx_distill.run import Run
from phalanx_distill.stages import Stages, fingerprint
from phalanx_distill.students import check_students
from phalanx_distill.taught import Taught, taught
from phalanx_distill.teacher import encode, label_indices, train_teacher
from phalanx_distill.transfer import transfer_texts
from phalanx_grid import Grid, Tokenizer, import_checkpoint


def untaught(run: Run, seed: int) -> tuple[Grid, Tokenizer]:
    """A teacher before it is fine-tuned: with its own head where that answers the rows' labels, else with a fresh one.

    Raises:
        SettingError: the students' settings do not fit it, or it was to teach untrained and knows nothing.
    """
    labels = run.prepared.parts.labels
    check_head(run.settings.teacher, run.sources.teacher, labels)
    grid, tokenizer = import_checkpoint(run.sources.teacher.folder, classes=len(labels), labels=labels, seed=seed)
    check_students(run.settings.students, grid.geometry.rows)
    return grid.to(run.compute.device), tokenizer


def teacher_seeds(settings: DistillSettings) -> list[int]:
    """The seeds of the teachers, the first one's being the run's.

    Seeds 0..n-1 stand in a ring of n, as do n..2n-1, and so on: runs whose seeds are neighbours share their teachers
    where these are kept, and each has another one as its first.
    """
    ring = settings.teacher.count
    start = settings.seed - settings.seed % ring
    return [start + (settings.seed + turn) % ring for turn in range(ring)]


def teach(run: Run, first: Grid, tokenizer: Tokenizer) -> tuple[Taught, Taught]:
    """Fine-tune every teacher, `first` in place; what they say of transfer text and of validation rows."""
    transfer, validation, held_out = _corpora(run, first, tokenizer)
    heard: list[tuple[Taught, Taught]] = []
    answers: dict[int, torch.Tensor] = {}
    seeds = teacher_seeds(run.settings)
    for turn, seed in enumerate(seeds):
        grid = untaught(run, seed)[0] if turn else first
        with kept(run, seed) as stages:
            with run.clock.stage("teacher"):
                title = "teacher" if len(seeds) == 1 else f"teacher {turn + 1} of {len(seeds)}"
                history = train_teacher(run, grid, tokenizer, seed=seed, stages=stages, title=title)
            with run.clock.stage("teacher's answers"):
                labels = label_indices(grid.labels, run.prepared.parts.train)
                heard.append(
                    (
                        taught(run, "transfer", grid, transfer, labels, stages=stages),
                        taught(run, "validation", grid, validation, stages=stages),
                    )
                )
                if len(seeds) > 1:
                    answers[seed] = predict(grid, held_out, run.compute.exact()).logits[-1]
        if history:
            run.curves["teacher" if turn == 0 else f"teacher-{turn + 1}"] = history
    if answers:
        note_teachers(run, answers, label_indices(first.labels, run.prepared.parts.test))
    return _mean([each for each, _ in heard]), _mean([each for _, each in heard])


@contextmanager
def kept(run: Run, seed: int) -> Iterator[Stages]:
    """Where a teacher and its answers are kept. Runs that share it train it once: the first does, others wait."""
    stages = Stages(run.shelf or run.stages.folder, _fingerprint(run, seed))
    with locked(stages.folder, waiting=lambda: run.report.say("waiting for the run that trains this teacher")):
        stages.open(shared=True)
        yield stages


def _fingerprint(run: Run, seed: int) -> str:
    settings = run.settings
    return fingerprint(
        algorithm=ALGORITHM,
        kind="teacher",
        settings=(seed, settings.max_tokens, settings.split, msgspec.structs.replace(settings.teacher, count=1)),
        teacher=run.sources.teacher.sha256,
        configuration=run.sources.teacher.configuration,
        rows=run.prepared.facts.sha256,
        dtype=str(run.compute.dtype),
        **head_mark(run.sources.teacher, run.prepared.parts.labels),
    )


def _corpora(run: Run, teacher: Grid, tokenizer: Tokenizer) -> tuple[Corpus, Corpus, Corpus]:
    """Transfer text, validation rows and test rows."""
    parts = run.prepared.parts
    train, validation, held_out = ([row.text for row in rows] for rows in (parts.train, parts.validation, parts.test))
    texts = transfer_texts(
        train,
        run.sources.unlabelled,
        run.settings.transfer,
        held_out=[*validation, *held_out],
        seed=run.settings.seed if run.settings.transfer.seed is None else run.settings.transfer.seed,
    )
    note_sources(run, texts)
    longest = run.settings.max_tokens
    return (
        encode(tokenizer, teacher, texts, min(longest, run.settings.transfer.max_tokens)),
        encode(tokenizer, teacher, validation, longest),
        encode(tokenizer, teacher, held_out, longest),
    )


def _mean(heard: list[Taught]) -> Taught:
    """The mean logits; hidden states are the first teacher's, from whose rows students start."""
    if len(heard) == 1:
        return heard[0]
    return replace(heard[0], logits=torch.stack([each.logits for each in heard]).mean(0))
