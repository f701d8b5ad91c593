"""The dialect of text-embeddings-inference: `/predict`, `/embed`, `/info`.

`inputs` is a text, a list of texts, or for /predict a list of lists of one text each. Pairs of texts ([["a", "b"]])
are refused: a grid reads one sequence. `truncate` may be null, as TEI has it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from phalanx_server.answers import Query, Reply, version
from phalanx_server.errors import EmptyText, Overloaded, ServeError, Unavailable, Unprocessable
from phalanx_server.protocols.body import check_texts, decode, unit

_ERROR_TYPES: Final[tuple[tuple[type[ServeError], str], ...]] = (
    (EmptyText, "Empty"),
    (Overloaded, "Overloaded"),
    (Unavailable, "Unhealthy"),
)


class PredictBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /predict`."""

    inputs: str | list[str | list[str]]
    raw_scores: bool = False
    truncate: bool | None = None


class EmbedBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /embed`."""

    inputs: str | list[str]
    normalize: bool = True
    truncate: bool | None = None


class Predict(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed /predict; `single` asks for one list of scores instead of a list of them."""

    query: Query
    single: bool
    raw_scores: bool


class Embed(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed /embed."""

    query: Query
    normalize: bool


def parse_predict(data: bytes, *, most: int) -> Predict:
    """Read a /predict.

    Raises:
        BadRequest: not JSON. EmptyText: nothing to read. Unprocessable: another shape, a pair, too many texts.
    """
    body = decode(data, PredictBody, wrong_shape=Unprocessable)
    texts = [body.inputs] if isinstance(body.inputs, str) else [_one(value) for value in body.inputs]
    checked = check_texts(texts, field="inputs", most=most, too_many=Unprocessable)
    query = Query(texts=checked, truncate=bool(body.truncate))
    return Predict(query=query, single=isinstance(body.inputs, str), raw_scores=body.raw_scores)


def _one(value: str | list[str]) -> str:
    if isinstance(value, str):
        return value
    if len(value) != 1:
        raise Unprocessable(f"inputs: a sequence of {len(value)} texts; pairs are not supported, send [[text], ...]")
    return value[0]


def render_predict(predict: Predict, reply: Reply) -> bytes:
    """`[{score, label}]`, best first, for a single text; a list of those otherwise."""
    rows = [_scores(reply, answer.logits if predict.raw_scores else answer.probabilities) for answer in reply.answers]
    return msgspec.json.encode(rows[0] if predict.single else rows)


def _scores(reply: Reply, values: tuple[float, ...]) -> list[dict[str, Any]]:
    best_first = sorted(range(len(values)), key=lambda index: -values[index])
    return [{"score": values[index], "label": reply.labels[index]} for index in best_first]


def parse_embed(data: bytes, *, most: int) -> Embed:
    """Read an /embed; errors as in `parse_predict`."""
    body = decode(data, EmbedBody, wrong_shape=Unprocessable)
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    checked = check_texts(texts, field="inputs", most=most, too_many=Unprocessable)
    query = Query(texts=checked, scores=False, embedding=True, truncate=bool(body.truncate))
    return Embed(query=query, normalize=body.normalize)


def render_embed(embed: Embed, reply: Reply) -> bytes:
    """`[[float]]`, one row for each text."""
    return msgspec.json.encode(
        [unit(answer.embedding) if embed.normalize else answer.embedding for answer in reply.answers]
    )


def timing_headers(reply: Reply, *, total_s: float) -> dict[str, str]:
    """TEI's own headers: tokens, and milliseconds for each stage (the slowest text's where there are several)."""
    queue_s = max((answer.queue_s for answer in reply.answers), default=0.0)
    compute_s = max((answer.compute_s for answer in reply.answers), default=0.0)
    return {
        "x-compute-type": "phalanx",
        "x-compute-tokens": str(reply.tokens),
        "x-total-time": _ms(total_s),
        "x-tokenization-time": _ms(reply.tokenization_s),
        "x-queue-time": _ms(queue_s),
        "x-inference-time": _ms(compute_s),
    }


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))


def render_info(
    *,
    name: str,
    digest: str,
    fidelity: str,
    pooling: str,
    labels: tuple[str, ...],
    limits: dict[str, int],
    release: str,
) -> bytes:
    """`GET /info`, for the ensemble that it is asked of."""
    ids = {label: index for index, label in enumerate(labels)}
    kind: dict[str, Any] = {"embedding": {"pooling": pooling}}
    if labels:
        kind = {"classifier": {"id2label": dict(enumerate(labels)), "label2id": ids}}
    return msgspec.json.encode(
        {
            "model_id": name,
            "model_sha": version(digest),
            "model_dtype": {"fp32": "float32", "bf16": "bfloat16"}.get(fidelity, fidelity),
            "model_type": kind,
            **limits,
            "version": release,
        }
    )


def render_error(error: ServeError) -> bytes:
    """`{"error", "error_type"}`."""
    kind = next((name for cls, name in _ERROR_TYPES if isinstance(error, cls)), None)
    if kind is None:
        kind = "Backend" if error.status >= 500 else "Validation"
    return msgspec.json.encode({"error": error.message, "error_type": kind})
