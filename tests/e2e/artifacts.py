"""Small but real artifacts: random grids that give different answers to different texts, made in milliseconds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from phalanx_grid import (
    Accuracy,
    Batch,
    Geometry,
    Grid,
    LoraAdapter,
    StudentAccuracy,
    Tokenizer,
    load_artifact,
    save_adapter,
    save_artifact,
)

_SENTENCE: Final = "the film was very good bad dull bright long short plot and acting i liked hated it not at all"
WORDS: Final = tuple(_SENTENCE.split())
TEXTS: Final = (
    "the film was good",
    "very bad acting",
    "i liked it",
    "the plot was long and dull",
    "not bad at all",
    "bright",
    "i hated the acting and the plot",
    "it was short and very good",
)
STUDENTS: Final = 3
_MAX_TOKENS: Final = 32
_HEAD_SCALE: Final = 30.0
"""Random heads are nearly flat: scaled up, labels differ from text to text."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says to some texts: a label for each, and probabilities [N, C]."""

    labels: list[str]
    probabilities: list[list[float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """An ensemble on disk with what is needed to run it in Python."""

    path: Path
    digest: str

    def answers(self, texts: Sequence[str] = TEXTS, *, students: int | None = None) -> Answers:
        """Run the artifact as it lies on the disk, without a server."""
        loaded = load_artifact(self.path, digest=self.digest)
        batch = Batch.pad([entry.ids for entry in loaded.tokenizer.encode(texts)], loaded.grid.geometry.pad_id)
        with torch.inference_mode():
            logits = loaded.grid(batch, students=students).prefix_logits[-1]
        return _answers(logits, loaded.grid.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """An adapter on disk, and the module that it was saved from."""

    path: Path
    digest: str
    base: Artifact
    module: LoraAdapter

    def answers(self, texts: Sequence[str] = TEXTS) -> Answers:
        """Run base and adapter in Python."""
        loaded = load_artifact(self.base.path, digest=self.base.digest)
        batch = Batch.pad([entry.ids for entry in loaded.tokenizer.encode(texts)], loaded.grid.geometry.pad_id)
        with torch.inference_mode():
            logits = loaded.grid(batch, adapter=self.module).prefix_logits[-1]
        return _answers(logits, self.module.labels)


def make_ensemble(
    path: Path, *, labels: Sequence[str] = ("negative", "positive"), seed: int = 0, made: str = "at random"
) -> Artifact:
    """Write an ensemble of three students by two rows; made otherwise, it is another artifact with the same answers."""
    geometry = Geometry(
        family="bert", students=STUDENTS, rows=2, hidden=32, heads=4, ffn=64, vocab=_tokenizer().vocab,
        max_positions=_MAX_TOKENS, classes=len(labels),
    )  # fmt: skip
    grid = Grid.from_geometry(geometry, labels, seed=seed).eval()
    with torch.no_grad():
        grid.readout.head.weight.mul_(_HEAD_SCALE)
    digest = save_artifact(path, grid, _tokenizer(), provenance={"made": made}, accuracy=_measured(grid))
    return Artifact(path=path, digest=digest)


def make_tenant(path: Path, base: Artifact, *, labels: Sequence[str], seed: int) -> Tenant:
    """Write an adapter of rank 4 with a head of its own."""
    geometry = load_artifact(base.path).grid.geometry
    module = LoraAdapter(geometry, tuple(labels), rank=4, alpha=8.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for up in module.up:
            up.normal_(std=0.2, generator=generator)
        module.head.weight.mul_(_HEAD_SCALE)
    digest = save_adapter(path, module.weights(), base=base.digest, provenance={"made": "at random"})
    return Tenant(path=path, digest=digest, base=base, module=module)


def _answers(logits: torch.Tensor, labels: Sequence[str]) -> Answers:
    best = [labels[int(index)] for index in logits.argmax(-1)]
    return Answers(best, logits.softmax(-1).tolist())


def _measured(grid: Grid) -> Accuracy:
    """Agreement with all students on the texts above; there is no truth to be accurate about."""
    batch = Batch.pad([entry.ids for entry in _tokenizer().encode(TEXTS)], grid.geometry.pad_id)
    with torch.inference_mode():
        votes = grid(batch).prefix_logits.argmax(-1)
    agreement = (votes == votes[-1]).float().mean(1).tolist()
    by_k = tuple(
        StudentAccuracy(students=index + 1, accuracy=share, low=0.0, high=1.0, agreement=share)
        for index, share in enumerate(agreement)
    )
    return Accuracy(by_k=by_k, rows_evaluated=len(TEXTS), dataset="the texts of the tests")


@functools.cache
def _tokenizer() -> Tokenizer:
    vocab = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    inner = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    return Tokenizer(inner.to_str().encode(), _MAX_TOKENS)
