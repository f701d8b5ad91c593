"""What a run notes for its report as it goes; nothing of it decides anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from phalanx_distill.boost import mean_square
from phalanx_distill.corpus import Corpus
from phalanx_distill.evaluate import accuracy_of
from phalanx_distill.report.document import CorpusFacts, CutFacts, Residual, TeacherNote
from phalanx_distill.report.words import count, percent, shortened
from phalanx_distill.run import Run
from phalanx_distill.targets import centred
from phalanx_distill.taught import Taught
from phalanx_distill.teacher import label_indices, share_right
from phalanx_grid import Grid, Tokenizer


def warn(run: Run, line: str) -> None:
    """Say what the user should know before the result is used; the report says it again."""
    run.report.say(f"warning: {line}")
    run.notes.warnings.append(line)


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


def note_cut(run: Run, grid: Grid, tokenizer: Tokenizer) -> None:
    """How many labelled rows are cut, with a warning where there are any: what is measured does not speak for them."""
    parts = run.prepared.parts
    texts = [row.text for part in (parts.train, parts.validation, parts.test) for row in part]
    served = min(tokenizer.max_tokens, grid.geometry.max_tokens)
    limit = min(run.settings.max_tokens, served)
    cut = sum(encoding.truncated for encoding in tokenizer.encode(texts, max_tokens=limit))
    run.notes.cut = CutFacts(rows=len(texts), cut=cut, limit_tokens=limit, served_tokens=served)
    if cut:
        warn(run, cut_said(run.notes.cut))


def cut_said(facts: CutFacts) -> str:
    """That rows were cut, and what to set. Pure."""
    share = f"{percent(facts.cut / facts.rows)} of the rows ({count(facts.cut)} of {count(facts.rows)})"
    said = f"{share} are longer than {facts.limit_tokens} tokens and cut there"
    if facts.limit_tokens == facts.served_tokens:
        return f"{said}, which is all that the teacher reads: longer texts are cut when served, too"
    return (
        f"{said}, but up to {facts.served_tokens} are served: accuracy and agreement are not those of longer texts; "
        f"set max_tokens and transfer.max_tokens, to at most {facts.served_tokens}"
    )


def note_teachers(run: Run, answers: Mapping[int, Tensor], expected: Tensor) -> None:
    """What each of several teachers gets right of the test rows, and the mean of their logits; `answers` by seed."""
    run.notes.teachers = [
        TeacherNote(seed=seed, accuracy=accuracy_of(said, expected)) for seed, said in answers.items()
    ]
    together = torch.stack([centred(said) for said in answers.values()]).mean(0)
    run.notes.together = accuracy_of(together, expected)


def note_ignorance(run: Run, validation: Taught) -> None:
    """Warn of a teacher that gets no more validation rows right than a constant answer would."""
    parts = run.prepared.parts
    label, rows = Counter(row.label for row in parts.validation).most_common(1)[0]
    right, constant = (
        share_right(validation.logits, label_indices(parts.labels, parts.validation)),
        rows / len(validation),
    )
    if right <= constant:
        warn(
            run,
            f"the teacher gets {percent(right)} of the validation rows right, and always answering {shortened(label)} "
            f"would get {percent(constant)}: students can learn little from it. Do the labels fit the texts? Are there "
            "enough rows, and epochs (teacher.fit.epochs)?",
        )


def note_taught(run: Run, transfer: Taught, validation: Taught) -> None:
    """What there is to learn from, and how much."""
    note_corpus(run, "transfer", transfer.corpus)
    note_corpus(run, "validation", validation.corpus)
    run.notes.untaught = Residual(train=mean_square(transfer.logits), validation=mean_square(validation.logits))
