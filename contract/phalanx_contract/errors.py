"""What the contract refuses, and how it says so.

ContractError            a document that the other side must not act on
├── FieldError           a field has a bad value; `field` is its path
└── IntegrityError       bytes are missing, truncated or not what their hash promises
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

_T = TypeVar("_T")

_AT = re.compile(r" - at `(?:key in )?\$?\.?(?P<path>[^`]*)`$")


class ContractError(ValueError):
    """Base of all refusals; the text is one line, fit for a condition or a log."""


class FieldError(ContractError):
    """A field of a document has a value that the contract does not allow.

    `field` is the path as a user would write it, such as `ensembles[0].cut.students_floor`;
    the empty string means the document as a whole.
    """

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}" if field else message)

    @classmethod
    def of(cls, error: msgspec.DecodeError) -> FieldError:
        """Turn msgspec's `message - at `$.path`` into a field and a message."""
        text = str(error)
        match = _AT.search(text)
        if match is None:
            return cls("", text)
        return cls(match["path"], text[: match.start()])


class IntegrityError(ContractError):
    """The bytes of a document are incomplete or differ from their recorded hash."""


def decode(data: bytes, kind: type[_T]) -> _T:
    """A document from JSON, as one of the contract's types.

    Raises:
        FieldError: not JSON, or a field of the wrong type.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except UnicodeDecodeError as error:
        raise FieldError("", f"not UTF-8: {error}") from error
    except msgspec.DecodeError as error:
        raise FieldError.of(error) from error
