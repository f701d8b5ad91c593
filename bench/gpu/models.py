"""Ensembles and teachers with random weights, in this engine and in transformers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification

from bench.gpu.scale import LABELS, Scale
from phalanx_distill.errors import NotInstalledError
from phalanx_distill.packaged.encoders import ENCODERS, encoder_dir
from phalanx_grid import Geometry, Grid, cast, cut, import_checkpoint, stack

SEED = 0


def random_grid(geometry: Geometry, scale: Scale, *, ramps: bool = False, dtype: torch.dtype | None = None) -> Grid:
    """BERT's initialisation, made on the device; the same weights for the same geometry in every number format."""
    with torch.device("meta"):
        grid = Grid(geometry, LABELS, ramps=ramps)
    grid = grid.to_empty(device=scale.device)
    generator = torch.Generator(scale.device).manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in grid.named_parameters():
            if "norm" in name:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                parameter.normal_(std=0.02, generator=generator)
        grid.weights.copy_(torch.ones_like(grid.weights).tril())
    return cast(grid, dtype or scale.dtype).requires_grad_(False).eval()


def packaged_grids(scale: Scale) -> Iterator[tuple[str, Grid]]:
    """Real weights, float32: pairs of rows of each packaged encoder that is installed, side by side as students."""
    for name in ENCODERS:
        try:
            folder = encoder_dir(name)
        except NotInstalledError:
            continue
        encoder, _ = import_checkpoint(folder, classes=len(LABELS), labels=LABELS, seed=SEED)
        pairs = [cut(encoder, rows=(row, row + 1)) for row in range(0, encoder.geometry.rows, 2)]
        yield name, stack(pairs, [1.0] * len(pairs)).requires_grad_(False).eval().to(scale.device)


def transformers_teacher(geometry: Geometry, scale: Scale) -> BertForSequenceClassification:
    """The same sizes in transformers, in its fused attention."""
    torch.manual_seed(SEED)
    sizes: dict[str, Any] = {
        "vocab_size": geometry.vocab, "hidden_size": geometry.hidden, "num_hidden_layers": geometry.rows,
        "num_attention_heads": geometry.heads, "intermediate_size": geometry.ffn,
        "max_position_embeddings": geometry.max_positions, "num_labels": len(LABELS),
    }  # fmt: skip
    with torch.device(scale.device):
        model = BertForSequenceClassification(BertConfig(**sizes))
    torch.nn.Module.to(model, scale.dtype)
    assert model.config._attn_implementation == "sdpa", "transformers' fused attention is the baseline"
    model.requires_grad_(False)
    model.train(False)
    return model
