"""How Hugging Face names the tensors of each encoder family."""

from __future__ import annotations

from dataclasses import dataclass

from phalanx_grid.geometry import Family


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Tensor names of one family, below an optional prefix; those of a row are below `encoder.layer.<row>`.

    Each stands for two tensors, `<name>.weight` and `<name>.bias`, except the embedding tables and `relative`, which
    have a weight alone. `pooler` and `head` are those of sequence classifiers and have no prefix where it says so.
    """

    query: str
    key: str
    value: str
    out: str
    attention_norm: str
    up: str = "intermediate.dense"
    down: str = "output.dense"
    output_norm: str = "output.LayerNorm"
    word: str = "embeddings.word_embeddings"
    position: str = "embeddings.position_embeddings"
    type: str = "embeddings.token_type_embeddings"
    embedding_norm: str = "embeddings.LayerNorm"
    relative: str = "encoder.relative_attention_bias"
    pooler: str
    pooler_prefixed: bool
    head: str


FAMILIES: dict[Family, Names] = {
    "bert": Names(
        query="attention.self.query",
        key="attention.self.key",
        value="attention.self.value",
        out="attention.output.dense",
        attention_norm="attention.output.LayerNorm",
        pooler="pooler.dense",
        pooler_prefixed=True,
        head="classifier",
    ),
    "mpnet": Names(
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        out="attention.attn.o",
        attention_norm="attention.LayerNorm",
        pooler="classifier.dense",
        pooler_prefixed=False,
        head="classifier.out_proj",
    ),
}
