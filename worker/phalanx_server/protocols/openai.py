"""OpenAI's `POST /v1/embeddings`."""

from __future__ import annotations

import base64
import struct
from typing import Any, Literal

import msgspec

from phalanx_server.answers import Query, Reply
from phalanx_server.errors import BadRequest, NotFound, Overloaded, ServeError, Unauthorized
from phalanx_server.protocols.body import check_texts, decode, unit


class EmbeddingsBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body. `dimensions` is understood in order to be refused: vectors are not cut.

    `truncate` is not OpenAI's: it is what the other protocols have.
    """

    input: str | list[str | int | list[int]]
    model: str
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    truncate: bool = False


class Embeddings(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed request."""

    query: Query
    model: str
    encoding_format: str


def parse_embeddings(data: bytes, *, most: int) -> Embeddings:
    """Read a request.

    Raises:
        BadRequest: of any fault, naming the field.
    """
    body = decode(data, EmbeddingsBody, wrong_shape=BadRequest)
    if body.dimensions is not None:
        raise BadRequest("dimensions: not supported; the vectors have the model's own size")
    values = [body.input] if isinstance(body.input, str) else body.input
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise BadRequest("input: token numbers are not supported; send text")
    checked = check_texts(texts, field="input", most=most, too_many=BadRequest)
    query = Query(texts=checked, scores=False, embedding=True, truncate=body.truncate)
    return Embeddings(query=query, model=body.model, encoding_format=body.encoding_format)


def render_embeddings(request: Embeddings, reply: Reply) -> bytes:
    """The list object; vectors have length 1."""
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": _encoded(unit(answer.embedding), request.encoding_format)}
        for index, answer in enumerate(reply.answers)
    ]
    usage = {"prompt_tokens": reply.tokens, "total_tokens": reply.tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": reply.model, "usage": usage})


def _encoded(vector: list[float], encoding_format: str) -> list[float] | str:
    if encoding_format == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def render_error(error: ServeError) -> bytes:
    """`{"error": {message, type, param, code}}`."""
    kind, code = "invalid_request_error", None
    if isinstance(error, NotFound):
        code = "model_not_found"
    elif isinstance(error, Unauthorized):
        kind, code = "authentication_error", "invalid_api_key"
    elif isinstance(error, Overloaded):
        kind, code = "rate_limit_error", "rate_limit_exceeded"
    elif error.status >= 500:
        kind = "server_error"
    return msgspec.json.encode({"error": {"message": error.message, "type": kind, "param": None, "code": code}})
