"""The shape of a grid: everything that decides which tensors it has and how they are wired."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from phalanx_contract.limits import MAX_ROWS, MAX_STUDENTS

Family = Literal["bert", "mpnet"]
Pooling = Literal["cls", "mean"]


class Geometry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """K students by L rows of one encoder family.

    `position_offset` is the position id of the first token (MPNet counts from `pad_id + 1`).
    `relative_buckets` is the size of MPNet's table of relative positions, and 0 for BERT.
    `pooler` puts a dense layer with tanh between the pooled state and the head, as BERT's classifiers have.
    `classes` is 0 for a grid that gives embeddings alone.

    Bounds are enforced when a manifest is read; they also bound what a hostile one can make us allocate.
    """

    family: Family
    students: Annotated[int, Meta(ge=1, le=MAX_STUDENTS)]
    rows: Annotated[int, Meta(ge=1, le=MAX_ROWS)]
    hidden: Annotated[int, Meta(ge=1, le=8192)]
    heads: Annotated[int, Meta(ge=1, le=128)]
    ffn: Annotated[int, Meta(ge=1, le=32768)]
    vocab: Annotated[int, Meta(ge=2, le=2_000_000)]
    max_positions: Annotated[int, Meta(ge=2, le=65536)]
    type_vocab: Annotated[int, Meta(ge=0, le=16)] = 0
    pad_id: Annotated[int, Meta(ge=0)] = 0
    position_offset: Annotated[int, Meta(ge=0)] = 0
    layer_norm_eps: Annotated[float, Meta(gt=0, lt=1)] = 1e-12
    pooling: Pooling = "mean"
    pooler: bool = False
    relative_buckets: Annotated[int, Meta(ge=0, le=1024)] = 0
    classes: Annotated[int, Meta(ge=0, le=65536)] = 0

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        if self.pad_id >= self.vocab:
            raise ValueError(f"pad_id {self.pad_id} is outside of vocab {self.vocab}")
        if self.position_offset >= self.max_positions:
            raise ValueError(f"position_offset {self.position_offset} leaves none of {self.max_positions} positions")
        if (self.relative_buckets > 0) != (self.family == "mpnet"):
            raise ValueError("relative_buckets belongs to family mpnet, and must be 0 for bert")
        if self.family == "mpnet" and self.position_offset != self.pad_id + 1:
            raise ValueError(f"position_offset {self.position_offset} of family mpnet is not pad_id + 1")
        if self.relative_buckets % 4:
            raise ValueError(f"relative_buckets {self.relative_buckets} is not a multiple of 4")

    @property
    def max_tokens(self) -> int:
        """The longest sequence that has position embeddings."""
        return self.max_positions - self.position_offset

    @property
    def head_size(self) -> int:
        """Features of one attention head."""
        return self.hidden // self.heads

    def replace(self, **changes: object) -> Geometry:
        """A copy with other values."""
        return msgspec.structs.replace(self, **changes)
