"""Open Inference Protocol, version 2: `POST /v2/models/{m}/infer` and its metadata.

One input tensor of BYTES with shape [N] or [N, 1] holds the texts. A classifier answers `scores` (FP32, [N, C],
probabilities, or logits with the parameter `raw_scores`) and `label` (BYTES, [N]); `embedding` (FP32, [N, H]) has to
be asked for in `outputs`, and is the only output of a grid without a readout.
Parameters of a request: `truncate`, `raw_scores`, `normalize` (booleans).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from phalanx_contract.runtime import HEADER_EXIT_ROW, HEADER_FIDELITY, HEADER_PLAN, HEADER_STUDENTS
from phalanx_server.answers import Query, Reply, version
from phalanx_server.errors import BadRequest, ServeError
from phalanx_server.protocols.body import check_texts, decode, unit

SCORES: Final = "scores"
LABEL: Final = "label"
EMBEDDING: Final = "embedding"
EXTENSIONS: Final = ("model_repository",)


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may set; others are ignored, as the protocol wants."""

    truncate: bool = False
    raw_scores: bool = False
    normalize: bool = True


class InputTensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of the request; `data` is flat or nested."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class OutputName(msgspec.Struct, frozen=True, kw_only=True):
    """An output that the client asks for."""

    name: str


class InferBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an infer request."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: Parameters = Parameters()
    outputs: list[OutputName] = []


class Infer(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed infer request."""

    query: Query
    outputs: tuple[str, ...]
    id: str | None
    parameters: Parameters


def parse_infer(data: bytes, *, classes: int, most: int) -> Infer:
    """Read an infer request for a model with so many classes (0: embeddings only).

    Raises:
        BadRequest: of any fault of the body, naming the field.
    """
    body = decode(data, InferBody, wrong_shape=BadRequest)
    if len(body.inputs) != 1:
        raise BadRequest(f"inputs: {len(body.inputs)} tensors; exactly one holds the texts")
    offered = (SCORES, LABEL, EMBEDDING) if classes else (EMBEDDING,)
    outputs = tuple(dict.fromkeys(output.name for output in body.outputs)) or offered[:2]
    for name in outputs:
        if name not in offered:
            raise BadRequest(f"outputs: no output {name!r}; there is {', '.join(offered)}")
    texts = check_texts(_texts(body.inputs[0]), field="inputs[0].data", most=most, too_many=BadRequest)
    query = Query(
        texts=texts,
        scores=SCORES in outputs or LABEL in outputs,
        embedding=EMBEDDING in outputs,
        truncate=body.parameters.truncate,
    )
    return Infer(query=query, outputs=outputs, id=body.id, parameters=body.parameters)


def _texts(tensor: InputTensor) -> list[str]:
    if tensor.datatype != "BYTES":
        raise BadRequest(f"inputs[0].datatype: {tensor.datatype[:32]!r}; texts are BYTES")
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]) or tensor.shape[0] < 0:
        raise BadRequest("inputs[0].shape: texts have shape [N] or [N, 1]")
    flat: list[str] = []
    for value in tensor.data:
        inner = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in inner):
            raise BadRequest("inputs[0].data: holds something that is not a string")
        flat += inner
    if len(flat) != math.prod(tensor.shape):
        raise BadRequest(f"inputs[0].data: {len(flat)} values do not fill the shape {tensor.shape}")
    return flat


def render_infer(infer: Infer, reply: Reply) -> bytes:
    """The answer to an infer request; `id` is echoed if one was sent."""
    body: dict[str, Any] = {
        "model_name": reply.model,
        "model_version": version(reply.version),
        "parameters": _made_by(reply),
        "outputs": [_tensor(name, infer, reply) for name in infer.outputs],
    }
    if infer.id is not None:
        body["id"] = infer.id
    return msgspec.json.encode(body)


def _tensor(name: str, infer: Infer, reply: Reply) -> dict[str, Any]:
    count = len(reply.answers)
    if name == LABEL:
        labels = [_best(reply.labels, answer.probabilities) for answer in reply.answers]
        return {"name": name, "datatype": "BYTES", "shape": [count], "data": labels}
    if name == SCORES:
        raw = infer.parameters.raw_scores
        rows = [list(answer.logits if raw else answer.probabilities) for answer in reply.answers]
    else:
        rows = [unit(a.embedding) if infer.parameters.normalize else list(a.embedding) for a in reply.answers]
    flat = [value for row in rows for value in row]
    return {"name": name, "datatype": "FP32", "shape": [count, len(flat) // count], "data": flat}


def _made_by(reply: Reply) -> dict[str, str]:
    made_by = reply.made_by()
    return {
        "students": made_by[HEADER_STUDENTS],
        "exit_row": made_by[HEADER_EXIT_ROW],
        "fidelity": made_by[HEADER_FIDELITY],
        "plan": made_by[HEADER_PLAN],
    }


def _best(labels: tuple[str, ...], probabilities: tuple[float, ...]) -> str:
    """The label with the highest probability."""
    return labels[max(range(len(labels)), key=probabilities.__getitem__)]


def render_server(*, release: str) -> bytes:
    """`GET /v2`."""
    return msgspec.json.encode({"name": "phalanx", "version": release, "extensions": EXTENSIONS})


def render_model(*, name: str, versions: Sequence[str], classes: int, hidden: int) -> bytes:
    """`GET /v2/models/{m}`."""
    embedding = {"name": EMBEDDING, "datatype": "FP32", "shape": [-1, hidden]}
    scores = {"name": SCORES, "datatype": "FP32", "shape": [-1, classes]}
    label = {"name": LABEL, "datatype": "BYTES", "shape": [-1]}
    return msgspec.json.encode(
        {
            "name": name,
            "versions": list(versions),
            "platform": "phalanx_grid",
            "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [scores, label, embedding] if classes else [embedding],
        }
    )


def render_error(error: ServeError) -> bytes:
    """`{"error": "..."}`."""
    return msgspec.json.encode({"error": error.message})
