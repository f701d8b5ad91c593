"""What a run notes for its report as it goes; nothing of it decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from phalanx_distill.boost import mean_square
from phalanx_distill.corpus import Corpus
from phalanx_distill.evaluate import accuracy_of
from phalanx_distill.report.document import CorpusFacts, Residual, TeacherNote
from phalanx_distill.run import Run
from phalanx_distill.targets import centred
from phalanx_distill.taught import Taught


def note_sources(run: Run, texts: Sequence[str]) -> None:
    """Where transfer texts come from."""
    train, unlabelled = {row.text for row in run.prepared.parts.train}, set(run.sources.unlabelled)
    found = {"training rows": 0, "unlabelled": 0, "made from training rows": 0}
    for text in texts:
        known = "unlabelled" if text in unlabelled else "made from training rows"
        found["training rows" if text in train else known] += 1
    run.notes.transfer_sources = {name: count for name, count in found.items() if count}


def note_corpus(run: Run, name: str, corpus: Corpus) -> None:
    """Texts and tokens of a part."""
    run.notes.corpora.append(CorpusFacts(name=name, texts=len(corpus), tokens=sum(corpus.lengths)))


def note_teachers(run: Run, answers: Mapping[int, Tensor], expected: Tensor) -> None:
    """What each of several teachers gets right of the test rows, and the mean of their logits; `answers` by seed."""
    run.notes.teachers = [
        TeacherNote(seed=seed, accuracy=accuracy_of(said, expected)) for seed, said in answers.items()
    ]
    together = torch.stack([centred(said) for said in answers.values()]).mean(0)
    run.notes.together = accuracy_of(together, expected)


def note_taught(run: Run, transfer: Taught, validation: Taught) -> None:
    """What there is to learn from, and how much."""
    note_corpus(run, "transfer", transfer.corpus)
    note_corpus(run, "validation", validation.corpus)
    run.notes.untaught = Residual(train=mean_square(transfer.logits), validation=mean_square(validation.logits))
