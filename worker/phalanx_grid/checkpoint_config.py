"""What a Hugging Face checkpoint directory says of itself: config.json and sentence-transformers' files."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeVar

import msgspec

from phalanx_contract.limits import MAX_ROWS
from phalanx_grid.errors import CheckpointError
from phalanx_grid.families import FAMILIES
from phalanx_grid.geometry import Geometry, Pooling

T = TypeVar("T")

CONFIG: Final = "config.json"
POOLING: Final = "1_Pooling/config.json"
SENTENCES: Final = "sentence_bert_config.json"

_PAD_ID = {"bert": 0, "mpnet": 1}
_MAX_JSON_BYTES = 4 << 20


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The part of config.json that shapes a grid. Other keys are none of ours."""

    model_type: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    pad_token_id: int | None = None
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    position_embedding_type: str | None = "absolute"
    is_decoder: bool = False
    relative_attention_num_buckets: int = 32
    auto_map: dict[str, object] | None = None
    id2label: dict[str, str | int] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of their ids; empty unless these are 0, 1, 2 and so on."""
        ids = [str(output) for output in range(len(self.id2label))]
        return tuple(str(self.id2label[key]) for key in ids) if set(ids) == self.id2label.keys() else ()


class _Pooling(msgspec.Struct, frozen=True):
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False


class _SentenceBert(msgspec.Struct, frozen=True):
    max_seq_length: int | None = None


def read_config(directory: Path) -> Config:
    """Read and check config.json.

    Raises:
        CheckpointError: it is missing or malformed, or names what no grid can express.
    """
    config = _read(directory / CONFIG, Config)
    if config is None:
        raise CheckpointError("missing; expected a Hugging Face checkpoint directory", file=CONFIG)
    refusals = {
        f"model_type {config.model_type!r} is not supported; use one of {', '.join(FAMILIES)}: no conversion makes one "
        "of another, so fine-tune an encoder of these families on your rows": (config.model_type not in FAMILIES),
        "auto_map asks for code of the checkpoint's own, which is never run": bool(config.auto_map),
        f"hidden_act {config.hidden_act!r} is not supported; only gelu is": config.hidden_act != "gelu",
        f"position_embedding_type {config.position_embedding_type!r} is not supported; only absolute is": (
            config.position_embedding_type not in (None, "absolute")
        ),
        "is_decoder is set; only encoders are supported": config.is_decoder,
        f"num_hidden_layers {config.num_hidden_layers} is outside of 1..{MAX_ROWS}": (
            not 1 <= config.num_hidden_layers <= MAX_ROWS
        ),
    }
    for message, refused in refusals.items():
        if refused:
            raise CheckpointError(message, file=CONFIG)
    return config


def read_pooling(directory: Path) -> Pooling | None:
    """How sentence-transformers pools this model, or None if the directory does not say.

    Raises:
        CheckpointError: in a way that no grid can express.
    """
    said = _read(directory / POOLING, _Pooling)
    if said is None:
        return None
    if said.pooling_mode_cls_token == said.pooling_mode_mean_tokens:
        raise CheckpointError("pools otherwise than by cls or mean; pass pooling", file=POOLING)
    return "cls" if said.pooling_mode_cls_token else "mean"


def read_max_tokens(directory: Path, geometry: Geometry) -> int:
    """The longest text: what sentence-transformers allow, within what there are positions for."""
    said = _read(directory / SENTENCES, _SentenceBert)
    limit = None if said is None else said.max_seq_length
    return min(limit or geometry.max_tokens, geometry.max_tokens)


def geometry_of(config: Config, *, pooling: Pooling, pooler: bool, classes: int) -> Geometry:
    """The geometry of a K=1 grid for a checkpoint.

    Raises:
        CheckpointError: the numbers do not fit together.
    """
    mpnet = config.model_type == "mpnet"
    pad_id = _PAD_ID[config.model_type] if config.pad_token_id is None else config.pad_token_id
    fields = {
        "family": config.model_type, "students": 1, "rows": config.num_hidden_layers, "hidden": config.hidden_size,
        "heads": config.num_attention_heads, "ffn": config.intermediate_size, "vocab": config.vocab_size,
        "max_positions": config.max_position_embeddings, "type_vocab": 0 if mpnet else config.type_vocab_size,
        "pad_id": pad_id, "position_offset": pad_id + 1 if mpnet else 0, "layer_norm_eps": config.layer_norm_eps,
        "pooling": pooling, "pooler": pooler, "classes": classes,
        "relative_buckets": config.relative_attention_num_buckets if mpnet else 0,
    }  # fmt: skip
    try:
        return msgspec.convert(fields, Geometry)
    except msgspec.ValidationError as error:
        raise CheckpointError(str(error), file=CONFIG) from error


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise CheckpointError(f"larger than {_MAX_JSON_BYTES} bytes", file=path.name)
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(str(error), file=path.name) from error
