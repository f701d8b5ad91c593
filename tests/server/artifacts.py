"""Small but real artifacts with ramps: random grids whose answers differ from text to text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from phalanx_contract.plan import Adapter, Artifact, Cut, Ensemble, Plan
from phalanx_grid import (
    Batch,
    FinalStep,
    Geometry,
    Grid,
    LoraAdapter,
    Tokenizer,
    load_artifact,
    save_adapter,
    save_artifact,
)
from phalanx_grid.manifest import Accuracy, StudentAccuracy

_SENTENCE = "the film was very good bad dull bright long short plot and acting i liked hated it not at all"
WORDS = tuple(_SENTENCE.split())
TEXTS = ("the film was good", "very bad acting", "i liked it", "the plot was long and dull", "not bad at all", "bright")
STUDENTS = 3
ROWS = 3
HIDDEN = 32
MAX_TOKENS = 32
LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """An artifact on disk. `module` is what an adapter was saved from."""

    path: Path
    digest: str
    labels: tuple[str, ...]
    module: LoraAdapter | None = None

    @property
    def artifact(self) -> Artifact:
        """As a plan names it."""
        return Artifact(uri=self.path.as_uri(), digest=self.digest)


def save_ensemble(
    path: Path,
    *,
    labels: Sequence[str] = LABELS,
    seed: int = 0,
    students: int = STUDENTS,
    agreement: Sequence[float] = (),
    dtype: torch.dtype = torch.float32,
) -> Saved:
    """Write an ensemble; with no labels it only embeds. `agreement` is what its manifest says, by students."""
    tokenizer = make_tokenizer()
    geometry = Geometry(
        family="bert", students=students, rows=ROWS, hidden=HIDDEN, heads=4, ffn=64, vocab=tokenizer.vocab,
        max_positions=MAX_TOKENS, classes=len(labels),
    )  # fmt: skip
    grid = Grid.from_geometry(geometry, labels, seed=seed).eval()
    if labels:
        grid.add_ramps(seed)
        with torch.no_grad():
            grid.readout.head.weight.mul_(30.0)
            for head in grid.ramps.heads:
                head.weight.mul_(30.0)
    grid.to(dtype)
    digest = save_artifact(path, grid, tokenizer, provenance={"made": "at random"}, accuracy=_measured(agreement))
    return Saved(path=path, digest=digest, labels=tuple(labels))


def _measured(agreement: Sequence[float]) -> Accuracy | None:
    by_k = tuple(
        StudentAccuracy(students=students, accuracy=0.5, low=0.4, high=0.6, agreement=agrees)
        for students, agrees in enumerate(agreement, start=1)
    )
    return Accuracy(by_k=by_k, rows_evaluated=100) if by_k else None


def save_tenant(path: Path, base: Saved, *, labels: Sequence[str], seed: int) -> Saved:
    """Write an adapter with a head of its own."""
    module = LoraAdapter(load_artifact(base.path).grid.geometry, tuple(labels), rank=4, alpha=8.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for up in module.up:
            up.normal_(std=0.2, generator=generator)
        module.head.weight.mul_(30.0)
    digest = save_adapter(path, module.weights(), base=base.digest, provenance={"made": "at random"})
    return Saved(path=path, digest=digest, labels=tuple(labels), module=module)


def reference(
    saved: Saved, texts: Sequence[str], *, students: int = STUDENTS, tenant: Saved | None = None
) -> list[list[float]]:
    """Probabilities [N, C] of each text alone, in Python, without a server."""
    loaded = load_artifact(saved.path)
    rows = []
    for encoding in loaded.tokenizer.encode(texts):
        batch = Batch.pad([encoding.ids], loaded.grid.geometry.pad_id)
        with torch.inference_mode():
            adapter = tenant.module if tenant else None
            logits = loaded.grid(batch, students=students, adapter=adapter).prefix_logits[-1][0]
        rows.append(logits.softmax(-1).tolist())
    return rows


def embeddings(saved: Saved, texts: Sequence[str], *, students: int = STUDENTS) -> list[list[float]]:
    """Embeddings [N, H] of each text alone."""
    loaded = load_artifact(saved.path)
    rows = []
    for encoding in loaded.tokenizer.encode(texts):
        *_, final = loaded.grid.steps(Batch.pad([encoding.ids], loaded.grid.geometry.pad_id), students=students)
        assert isinstance(final, FinalStep)
        rows.append(final.pooled[0].tolist())
    return rows


def make_plan(*ensembles: Ensemble, objective_s: float = 10.0) -> Plan:
    """A plan of these ensembles; the objective is generous, so that nothing is shed by chance."""
    return Plan(namespace="test", pool="pool", objective_p99_s=objective_s, ensembles=ensembles)


def ensemble(name: str, saved: Saved, *, cut: Cut | None = None, adapters: Sequence[Adapter] = ()) -> Ensemble:
    """An ensemble of a plan."""
    return Ensemble(name=name, artifact=saved.artifact, cut=cut or Cut(), adapters=tuple(adapters))


def make_tokenizer() -> Tokenizer:
    """Words to ids, with special tokens at both ends."""
    vocab = {word: index for index, word in enumerate(("[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS))}
    inner = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    return Tokenizer(inner.to_str().encode(), MAX_TOKENS)
