"""What a client may be told, with the HTTP status that says it.

ServeError             a request that is not answered
├── BadRequest         400  malformed, or of a wrong shape
│   └── EmptyText      400  there is no text to read
├── Unauthorized       401  the tenant has an API key, and this is not it
├── NotFound           404  no such model, tenant or path
├── MethodNotAllowed   405  the path is there, not for this method
├── SlowBody           408  the body has not arrived in time
├── TooLarge           413  the body is past the limit
├── UnsupportedMedia   415  not JSON, or in an encoding that is not read
├── Unprocessable      422  understood, and cannot be done
├── Overloaded         429  refused before it waits; `retry_after_s` says when to come back
├── EngineFailed       500  the batch failed on the device; only its own texts are hurt
└── Unavailable        503  not now: loading, draining, or too late

The protocols render these in their own shapes; the message is one line for the person who sent the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class ServeError(Exception):
    """Base of all refusals. `retry_after_s` becomes the header Retry-After."""

    status: ClassVar[int] = 500

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        self.message = " ".join(message.split())
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class BadRequest(ServeError):
    """Malformed, or of a wrong shape."""

    status = 400


class EmptyText(BadRequest):
    """There is no text to read."""


class Unauthorized(ServeError):
    """The tenant has an API key, and the request does not carry it."""

    status = 401


class NotFound(ServeError):
    """No such model, tenant or path."""

    status = 404


class MethodNotAllowed(ServeError):
    """The path exists, but not for this method. `allowed` are those it is for; they become the header Allow."""

    status = 405

    def __init__(self, message: str, *, allowed: Iterable[str]) -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(message)


class SlowBody(ServeError):
    """The body has not arrived in time."""

    status = 408


class TooLarge(ServeError):
    """The body is past the limit."""

    status = 413


class UnsupportedMedia(ServeError):
    """Not JSON, or in a content encoding that is not read."""

    status = 415


class Unprocessable(ServeError):
    """Understood, and cannot be done."""

    status = 422


class Overloaded(ServeError):
    """Refused at admission."""

    status = 429


class EngineFailed(ServeError):
    """The batch failed on the device."""

    status = 500


class Unavailable(ServeError):
    """Loading, draining, or past its deadline."""

    status = 503
