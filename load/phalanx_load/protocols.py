"""The dialects that can be spoken: what a request holds, and which label an answer gives.

Sources: the API of text-embeddings-inference (`predict`, `embed`), and the Open Inference Protocol v2 (`infer`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec


class _Scored(msgspec.Struct):
    """One entry of a /predict answer."""

    score: float
    label: str


class _Output(msgspec.Struct):
    """One output tensor of an infer answer; only labels are looked at."""

    name: str
    data: list[str | float | int]


class _Inferred(msgspec.Struct):
    """An infer answer."""

    outputs: list[_Output]


class _Named(msgspec.Struct):
    """An output tensor of whatever type and shape."""

    name: str


class _Outputs(msgspec.Struct):
    """An infer answer, as far as those of all servers are alike."""

    outputs: list[_Named]


class _Error(msgspec.Struct):
    """An error's body, in all of the dialects."""

    error: str


_SCORES = msgspec.json.Decoder(list[_Scored])
_OUTPUTS = msgspec.json.Decoder(_Outputs)
_EMBEDDINGS = msgspec.json.Decoder(list[list[float]])
_INFERRED = msgspec.json.Decoder(_Inferred)
_ERROR = msgspec.json.Decoder(_Error)
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)
"""What a body that is not as it should be raises."""

_MOST_BYTES: Final = 2000
_MOST_WORDS: Final = 300
"""So much of an error's body is looked at where it is of no known form, and so many letters of it are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """One dialect. `label` gives the answer's label, or nothing where it has none; `valid` says if it is one."""

    path: str
    body: Callable[[str], bytes]
    label: Callable[[bytes], str]
    valid: Callable[[bytes], bool]


def words_of(body: bytes) -> str:
    """A server's message in an error's body, on one line that a terminal can show."""
    try:
        words = _ERROR.decode(body).error
    except _UNREADABLE:
        words = body[:_MOST_BYTES].decode("utf-8", "replace")
    return shown(words) or "no message"


def shown(words: str) -> str:
    """What a server sent, on one line that a terminal can show."""
    line = " ".join(words.split())[:_MOST_WORDS]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def _inputs(text: str) -> bytes:
    return msgspec.json.encode({"inputs": text})


def _tensor(text: str) -> bytes:
    return msgspec.json.encode({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]})


def _best(body: bytes) -> str:
    try:
        return max(_SCORES.decode(body), key=lambda each: each.score).label
    except (*_UNREADABLE, ValueError):  # or there is no entry
        return ""


def _label_output(body: bytes) -> str:
    try:
        outputs = _INFERRED.decode(body).outputs
    except _UNREADABLE:
        return ""
    return next((str(output.data[0]) for output in outputs if output.name == "label" and output.data), "")


def _scored(body: bytes) -> bool:
    with suppress(*_UNREADABLE):
        return bool(_SCORES.decode(body))
    return False


def _inferred(body: bytes) -> bool:
    with suppress(*_UNREADABLE):
        return bool(_OUTPUTS.decode(body).outputs)
    return False


def _embedded(body: bytes) -> bool:
    with suppress(*_UNREADABLE):
        return any(_EMBEDDINGS.decode(body))
    return False


PROTOCOLS: Final[Mapping[str, Protocol]] = {
    "predict": Protocol(path="/predict", body=_inputs, label=_best, valid=_scored),
    "infer": Protocol(path="/v2/models/{model}/infer", body=_tensor, label=_label_output, valid=_inferred),
    "embed": Protocol(path="/embed", body=_inputs, label=lambda body: "", valid=_embedded),
}
