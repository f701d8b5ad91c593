"""Fine-tuning the teacher: the whole encoder and its head on labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import torch
from torch import Tensor
from torch.nn import functional as F

from phalanx_distill.augment import thinned
from phalanx_distill.batches import epoch_batches
from phalanx_distill.config import Fitting, TeacherSettings
from phalanx_distill.corpus import Corpus
from phalanx_distill.data import Row
from phalanx_distill.fit import Epoch, Task, fit
from phalanx_distill.predict import predict
from phalanx_distill.run import Run
from phalanx_distill.stages import Stages
from phalanx_grid import Grid, Tokenizer


def train_teacher(
    run: Run, grid: Grid, tokenizer: Tokenizer, *, seed: int, stages: Stages, title: str = "teacher"
) -> list[Epoch]:
    """Fine-tune `grid` in place with cross-entropy; the epoch with the best validation accuracy stays.

    With no epochs it stays as it is, and so does the history: empty.
    """
    own, compute = run.settings.teacher, run.compute
    if not own.fit.epochs:
        grid.requires_grad_(False)
        return []
    train, validation = run.prepared.parts.train, run.prepared.parts.validation
    how = sized(own, len(train))
    targets = label_indices(grid.labels, train).to(compute.device)
    expected = label_indices(grid.labels, validation)
    held_out = encode(tokenizer, grid, [row.text for row in validation], run.settings.max_tokens)

    @lru_cache(maxsize=1)
    def corpus(epoch: int) -> Corpus:
        texts = thinned([row.text for row in train], share=own.word_drop, seed=seed, epoch=epoch)
        return encode(tokenizer, grid, texts, run.settings.max_tokens)

    def loss(epoch: int, rows: list[int]) -> Tensor:
        grid.train()
        with compute.autocast():
            output = grid(corpus(epoch).batch(rows).to(compute.device))
        return F.cross_entropy(output.prefix_logits[-1].float(), targets[rows])

    task = Task(
        name="teacher",
        title=title,
        rate="teacher.fit.learning_rate",
        parameters=dict(grid.named_parameters()),
        batches=lambda epoch: epoch_batches(corpus(epoch).lengths, batch_rows=how.batch_rows, seed=seed, epoch=epoch),
        loss=loss,
        score=lambda: share_right(predict(grid, held_out, compute).logits[-1], expected),
    )
    grid.dropout = own.dropout
    history = fit(task, how, seed=seed, stages=stages, report=run.report)
    grid.dropout = 0.0
    grid.requires_grad_(False)
    return history


def sized(settings: TeacherSettings, rows: int) -> Fitting:
    """The teacher's training on so many rows: with smaller batches and more epochs where it would be too short."""
    fit = settings.fit
    if not fit.epochs or fit.epochs * (rows // fit.batch_rows) >= settings.least_steps:
        return fit
    batch = max(fit.batch_rows // 2, 1)
    wanted = -(-settings.least_steps // max(rows // batch, 1))
    epochs = max(fit.epochs, min(wanted, settings.most_epochs))
    return msgspec.structs.replace(fit, batch_rows=batch, epochs=epochs)


def encode(tokenizer: Tokenizer, grid: Grid, texts: Sequence[str], max_tokens: int) -> Corpus:
    """Texts as the grid reads them."""
    limit = min(max_tokens, grid.geometry.max_tokens)
    return Corpus.encode(tokenizer, texts, max_tokens=limit, pad_id=grid.geometry.pad_id)


def label_indices(labels: Sequence[str], rows: Sequence[Row]) -> Tensor:
    """The class index of each row, int64 [N]."""
    index = {label: position for position, label in enumerate(labels)}
    return torch.tensor([index[row.label] for row in rows])


def share_right(logits: Tensor, expected: Tensor) -> float:
    """The share of logits [N, C] whose largest is the expected class [N]."""
    return float((logits.argmax(-1) == expected).double().mean())
