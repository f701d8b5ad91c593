"""Tiny grids, tokenizers and checkpoints for tests, and hypothesis strategies for them."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors.torch
import tokenizers
import torch
from hypothesis import strategies as st

from phalanx_grid import AdapterWeights, Batch, Geometry, Grid, LoraAdapter, Tokenizer

VOCAB = 50
TOLERANCE = 1e-5


def geometry(**changes: object) -> Geometry:
    base = Geometry(
        family="bert", students=3, rows=3, hidden=16, heads=2, ffn=24, vocab=VOCAB, max_positions=28, type_vocab=2,
        classes=4,
    )  # fmt: skip
    return base.replace(**changes)


MPNET = {"family": "mpnet", "type_vocab": 0, "pad_id": 1, "position_offset": 2, "relative_buckets": 32}


def noisy(grid: Grid, seed: int = 0) -> Grid:
    """Give every parameter a size that matters, so that a mistake shows; biases and norms too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in grid.named_parameters():
            # around 1, or every row would shrink the differences between texts
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.normal_(centre, 0.4, generator=generator)
        students = grid.geometry.students
        grid.weights.copy_((torch.rand(students, students, generator=generator) + 0.5).tril())
    return grid


def make_grid(shape: Geometry | None = None, *, seed: int = 0, ramps: bool = True) -> Grid:
    grid = Grid.from_geometry(shape or geometry())
    if ramps:
        grid.add_ramps()
    return noisy(grid, seed).eval()


def make_adapter(shape: Geometry, *, seed: int, rank: int = 2, classes: int = 3) -> AdapterWeights:
    labels = tuple(f"t{index}" for index in range(classes))
    adapter = LoraAdapter(shape, labels, rank=rank, alpha=2.0 * rank, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_(std=0.4, generator=generator)
    return adapter.weights()


def make_tokenizer(max_tokens: int = 24) -> Tokenizer:
    """Words w0..w9 between [CLS] and [SEP]."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *[f"w{index}" for index in range(10)]]
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    inner.enable_padding(length=30)
    inner.enable_truncation(4)
    return Tokenizer(inner.to_str().encode(), max_tokens)


def make_checkpoint(directory: Path, **config: object) -> Path:
    """A BERT checkpoint of one row, hidden 4, as Hugging Face writes it."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = {
        "model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 6, "vocab_size": 14, "max_position_embeddings": 8, "type_vocab_size": 2,
    }  # fmt: skip
    (directory / "config.json").write_text(json.dumps(settings | config))
    (directory / "tokenizer.json").write_bytes(make_tokenizer(8).source)
    safetensors.torch.save_file(checkpoint_tensors(), directory / "model.safetensors")
    return directory


def checkpoint_tensors() -> dict[str, torch.Tensor]:
    row = "encoder.layer.0."
    weights = {
        "embeddings.word_embeddings": (14, 4), "embeddings.position_embeddings": (8, 4),
        "embeddings.token_type_embeddings": (2, 4),
    }  # fmt: skip
    pairs = {
        "embeddings.LayerNorm": (4,), row + "attention.self.query": (4, 4), row + "attention.self.key": (4, 4),
        row + "attention.self.value": (4, 4), row + "attention.output.dense": (4, 4),
        row + "attention.output.LayerNorm": (4,), row + "intermediate.dense": (6, 4), row + "output.dense": (4, 6),
        row + "output.LayerNorm": (4,),
    }  # fmt: skip
    tensors = {f"{name}.weight": torch.randn(shape) for name, shape in (weights | pairs).items()}
    return tensors | {f"{name}.bias": torch.randn(shape[0]) for name, shape in pairs.items()}


def geometries(**fixed: object) -> st.SearchStrategy[Geometry]:
    """Tiny geometries of both families and poolings, with and without a pooler."""

    def build(draw: st.DrawFn) -> Geometry:
        heads = draw(st.integers(1, 3))
        shape = geometry(
            students=draw(st.integers(1, 4)),
            rows=draw(st.integers(1, 3)),
            heads=heads,
            hidden=heads * draw(st.integers(4, 6)),
            ffn=draw(st.integers(1, 20)),
            pooling=draw(st.sampled_from(["cls", "mean"])),
            pooler=draw(st.booleans()),
            classes=draw(st.integers(0, 5)),
            # the norm of few features magnifies rounding without bound where they happen to be equal
            layer_norm_eps=1e-2,
        )
        if draw(st.booleans()):
            shape = shape.replace(**MPNET)
        return shape.replace(**fixed)

    return st.composite(build)()


def texts(max_size: int = 6) -> st.SearchStrategy[list[list[int]]]:
    """Id lists of a batch, free of both families' pad ids."""
    return st.lists(st.lists(st.integers(2, VOCAB - 1), min_size=1, max_size=20), min_size=1, max_size=max_size)


def batch_of(grid: Grid, sequences: list[list[int]], slots: list[int] | None = None) -> Batch:
    return Batch.pad(sequences, grid.geometry.pad_id, slots)


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = TOLERANCE) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance)
