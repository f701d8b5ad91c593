"""A Hugging Face BERT or MPNet directory as a grid of one student.

Only safetensors and JSON are read: no pickle, no code of the checkpoint's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import torch
from torch import Tensor

from phalanx_grid.checkpoint_config import (
    CONFIG,
    POOLING,
    SENTENCES,
    geometry_of,
    read_config,
    read_max_tokens,
    read_pooling,
)
from phalanx_grid.checkpoint_head import head_of
from phalanx_grid.checkpoint_tensors import Source, read_tensors
from phalanx_grid.errors import CheckpointError
from phalanx_grid.families import FAMILIES, Names
from phalanx_grid.geometry import Family, Geometry, Pooling
from phalanx_grid.grid import Grid
from phalanx_grid.tokenizer import FILE as TOKENIZER
from phalanx_grid.tokenizer import Tokenizer

CHECKPOINT_CONFIGURATION: Final = (CONFIG, TOKENIZER, POOLING, SENTENCES)
"""What is read of a checkpoint beside its weights."""

_TO_FAST: Final = (
    "missing; only fast tokenizers are read: save one by transformers' "
    "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
)
_TO_EMBEDDED: Final = "take the tokenizer that belongs to it, or resize its embeddings by transformers and train them"


def import_checkpoint(
    directory: Path | str,
    *,
    classes: int = 0,
    labels: Sequence[str] = (),
    pooling: Pooling | None = None,
    seed: int = 0,
) -> tuple[Grid, Tokenizer]:
    """Read a checkpoint as a K=1 grid, float32, with its tokenizer.

    A sequence classifier keeps its head and labels. With `labels` it keeps its head where config.json calls the outputs
    by these names, whatever the order, and answers in theirs; otherwise, with another number of `classes`, and for a
    plain encoder, the head is fresh (from `seed`) and without a pooler. Without `pooling` the checkpoint decides: the
    first token where the head is kept, else as sentence-transformers' file says, else the mean.

    Raises:
        CheckpointError: a file or tensor is missing, damaged, or beyond what a grid can express.
        ValueError: labels that do not fit the classes.
    """
    directory = Path(directory)
    if not (directory / TOKENIZER).is_file():
        raise CheckpointError(_TO_FAST, file=TOKENIZER)
    config = read_config(directory)
    names = FAMILIES[cast(Family, config.model_type)]
    tensors = read_tensors(directory)
    source = Source(tensors, _prefix(tensors, config.model_type, names))
    own = head_of(config, tensors)
    order = own.order(labels) if own is not None and classes in (0, own.classes) else None
    if own is not None and order is not None:
        classes, labels = own.classes, labels or own.labels
    pooling = pooling or ("cls" if order is not None else read_pooling(directory) or "mean")
    geometry = geometry_of(config, pooling=pooling, pooler=order is not None, classes=classes or len(labels))
    state = _encoder_state(source, geometry, names)
    state |= _fresh_head(geometry, seed) if order is None else _head_state(tensors, source, geometry, names, order)
    grid = Grid(geometry, labels)
    grid.load_state_dict({**state, "weights": torch.ones(1, 1)}, assign=True)
    tokenizer = Tokenizer.load(directory, read_max_tokens(directory, geometry))
    if tokenizer.vocab > geometry.vocab:
        message = f"gives ids up to {tokenizer.vocab - 1}, but config.json embeds {geometry.vocab}: {_TO_EMBEDDED}"
        raise CheckpointError(message, file=TOKENIZER)
    return grid, tokenizer


def _prefix(tensors: dict[str, Tensor], family: str, names: Names) -> str:
    """Classifiers keep the encoder below its family's name."""
    return "" if names.word + ".weight" in tensors else f"{family}."


def _encoder_state(source: Source, geometry: Geometry, names: Names) -> dict[str, Tensor]:
    H = geometry.hidden
    state = {
        "embeddings.word": source.take(f"{names.word}.weight", geometry.vocab, H),
        "embeddings.position": source.take(f"{names.position}.weight", geometry.max_positions, H),
        "embeddings.norm_weight": source.take(f"{names.embedding_norm}.weight", H),
        "embeddings.norm_bias": source.take(f"{names.embedding_norm}.bias", H),
    }
    if geometry.type_vocab:
        state["embeddings.token_type"] = source.take(f"{names.type}.weight", geometry.type_vocab, H)
    if geometry.relative_buckets:
        table = source.take(f"{names.relative}.weight", geometry.relative_buckets, geometry.heads)
        state["relative.table"] = table.unsqueeze(0)
    for row in range(geometry.rows):
        state |= _row_state(source, geometry, names, row)
    return state


def _row_state(source: Source, geometry: Geometry, names: Names, row: int) -> dict[str, Tensor]:
    H, F, below = geometry.hidden, geometry.ffn, f"encoder.layer.{row}."
    shapes = {
        "out": (names.out, (H, H)),
        "attention_norm": (names.attention_norm, (H,)),
        "up": (names.up, (F, H)),
        "down": (names.down, (H, F)),
        "output_norm": (names.output_norm, (H,)),
    }
    state = {}
    for ours, (theirs, shape) in shapes.items():
        state[f"rows.{row}.{ours}.weight"] = source.take(f"{below}{theirs}.weight", *shape).unsqueeze(0)
        state[f"rows.{row}.{ours}.bias"] = source.take(f"{below}{theirs}.bias", shape[0]).unsqueeze(0)
    parts = (names.query, names.key, names.value)
    state[f"rows.{row}.qkv.weight"] = torch.cat([source.take(f"{below}{p}.weight", H, H) for p in parts]).unsqueeze(0)
    state[f"rows.{row}.qkv.bias"] = torch.cat([source.take(f"{below}{p}.bias", H) for p in parts]).unsqueeze(0)
    return state


def _head_state(
    tensors: dict[str, Tensor], source: Source, geometry: Geometry, names: Names, order: Sequence[int]
) -> dict[str, Tensor]:
    """The pooler as it is, and the head's outputs in this order."""
    H, C, bare, outputs = geometry.hidden, geometry.classes, Source(tensors, ""), torch.tensor(order)
    pooler = source if names.pooler_prefixed else bare
    return {
        "readout.pooler.weight": pooler.take(f"{names.pooler}.weight", H, H).unsqueeze(0),
        "readout.pooler.bias": pooler.take(f"{names.pooler}.bias", H).unsqueeze(0),
        "readout.head.weight": bare.take(f"{names.head}.weight", C, H)[outputs].unsqueeze(0),
        "readout.head.bias": bare.take(f"{names.head}.bias", C)[outputs].unsqueeze(0),
    }


def _fresh_head(geometry: Geometry, seed: int) -> dict[str, Tensor]:
    weight = torch.empty(1, geometry.classes, geometry.hidden)
    weight.normal_(std=0.02, generator=torch.Generator().manual_seed(seed))
    return {"readout.head.weight": weight, "readout.head.bias": torch.zeros(1, geometry.classes)}
