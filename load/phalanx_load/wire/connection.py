"""One connection with at most one request on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from phalanx_load.wire.parser import BrokenResponseError, Parser, Response


@dataclass(frozen=True, slots=True)
class Request:
    """A request and the number that its owner knows it by; `again` if it was sent once before, in vain."""

    ticket: int
    data: bytes
    again: bool = False


class Connection(asyncio.Protocol):
    """Calls `answered` with the response to its request, or `lost` when the connection ends, whatever was on it."""

    def __init__(
        self,
        *,
        answered: Callable[[Connection, Request, Response], None],
        lost: Callable[[Connection, str], None],
    ) -> None:
        self._answered, self._lost = answered, lost
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None
        self._why = "the connection was closed before the answer came"
        self.request: Request | None = None
        self.used = False

    @property
    def stale(self) -> bool:
        """Whether the server may have closed it before it saw the request: kept alive for too long, as it seems."""
        return self.used and self._parser.empty

    def send(self, request: Request) -> None:
        """Put a request on the free connection."""
        assert self._transport is not None and self.request is None
        self.request = request
        self._transport.write(request.data)

    def close(self) -> None:
        """End it at once, without a word to its owner if nothing is on it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of a response, mostly all of it."""
        try:
            response = self._parser.feed(data)
        except BrokenResponseError as error:
            self._fail(str(error))
            return
        if response is not None:
            self._complete(response)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone; where a response has no length, that is its end."""
        response = self._parser.close() if self.request is not None and exc is None else None
        if response is not None:
            self._complete(response)
        if exc is not None:
            self._why = f"the connection broke: {exc}"
        self._lost(self, self._why)

    def _complete(self, response: Response) -> None:
        if self.request is None:
            self._fail("an answer came that nobody had asked for")
            return
        request, self.request, self.used = self.request, None, True
        if not response.keep_alive:
            self.close()
        self._answered(self, request, response)

    def _fail(self, why: str) -> None:
        self._why = why
        self.close()
