"""Reading JSON bodies strictly, with the field's path in every refusal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from phalanx_contract.errors import FieldError
from phalanx_server.errors import BadRequest, EmptyText, ServeError

Body = TypeVar("Body")


def decode(data: bytes, kind: type[Body], *, wrong_shape: type[ServeError]) -> Body:
    """Read a body of the given type.

    Raises:
        BadRequest: not JSON.
        ServeError: of the class `wrong_shape` (protocols differ: 400 or 422): JSON of another shape.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_shape(str(FieldError.of(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error


def check_texts(texts: Sequence[str], *, field: str, most: int, too_many: type[ServeError]) -> tuple[str, ...]:
    """Refuse no texts, empty texts or ones of white space alone, and more texts than one request may carry."""
    if not texts:
        raise EmptyText(f"`{field}` cannot be empty")
    if len(texts) > most:
        raise too_many(f"`{field}` has {len(texts)} texts; at most {most} in one request")
    for index, text in enumerate(texts):
        if not text or text.isspace():
            where = field if len(texts) == 1 else f"{field}[{index}]"
            raise EmptyText(f"`{where}` cannot be empty")
    return tuple(texts)


def unit(vector: Sequence[float]) -> list[float]:
    """The vector scaled to length 1; zeros stay zeros."""
    norm = math.hypot(*vector)
    return [value / norm for value in vector] if norm > 0 else list(vector)
