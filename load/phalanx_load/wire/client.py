"""Requests to one server over kept connections; more are opened as they are needed, up to a bound.

    send --> a free connection, the latest used first
         --> else wait, and a connection is opened if there may be another; the oldest request takes the first free one
    a connection ends before anything of an answer came --> its request waits for a new one, and is sent once more

`send` never waits. Every request ends in exactly one call of `done`, unless it is given up (`abandon`) or all are
(`close`).
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from phalanx_load.wire.connection import Connection, Request
from phalanx_load.wire.parser import Response

_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
"""This process, or its machine, may open no more files: no fault of the server's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """No response, and why."""

    why: str


class Client:
    """Lives on one event loop. `done(ticket, outcome)` is called from within the loop's IO callbacks.

    A server may close a kept connection just as a request goes out on it. Such a request is sent once more, as HTTP
    clients do, unless `resend` is false: then it is a failure like any other, and nothing that was sent goes uncounted.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        secure: bool,
        connections: int,
        done: Callable[[int, Response | Failure], None],
        resend: bool = True,
    ) -> None:
        self._address, self._done = address, done
        self._resend = resend
        self._tls = ssl.create_default_context() if secure else None
        self._most = connections
        self._free: list[Connection] = []
        self._open: set[Connection] = set()
        self._busy: dict[int, Connection] = {}
        self._waiting: OrderedDict[int, Request] = OrderedDict()
        """For any connection."""
        self._again: OrderedDict[int, Request] = OrderedDict()
        """For a new one: on each that was used before, the server may have hung up as well."""
        self._opening: set[asyncio.Task[None]] = set()
        self.peak = 0
        """Most connections at a time."""
        self.resent = 0
        """Requests that were sent once more, because their kept connection ended before anything of an answer came."""
        self.short = False
        """Whether a request had to wait although no further connection was allowed."""

    def send(self, ticket: int, data: bytes) -> None:
        """Send now if a connection is free, else as soon as one is."""
        self._dispatch(Request(ticket, data))

    def abandon(self, ticket: int) -> None:
        """Give a request up: whatever still comes of it is dropped, with its connection."""
        self._waiting.pop(ticket, None)
        self._again.pop(ticket, None)
        connection = self._busy.pop(ticket, None)
        if connection is not None:
            connection.request = None
            connection.close()

    def close(self) -> None:
        """Drop all connections and requests."""
        self._waiting.clear()
        self._again.clear()
        for task in self._opening:
            task.cancel()
        for connection in list(self._open):
            connection.request = None
            connection.close()

    def _dispatch(self, request: Request) -> None:
        if self._free:
            self._put(self._free.pop(), request)
            return
        self._waiting[request.ticket] = request
        self._grow()

    def _grow(self) -> None:
        """Open another connection if more wait than are on their way."""
        if len(self._waiting) + len(self._again) <= len(self._opening):
            return
        if len(self._open) + len(self._opening) >= self._most:
            self._make_room()
            return
        task = asyncio.get_running_loop().create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _make_room(self) -> None:
        """A free connection is of no use to those that wait, as they need a new one: it leaves its place to that."""
        if self._free:
            self._free.pop(0).close()
        else:
            self.short = True

    def _opened(self, task: asyncio.Task[None]) -> None:
        """An attempt is over, with or without a connection: others may still need one."""
        self._opening.discard(task)
        self._grow()

    def _put(self, connection: Connection, request: Request) -> None:
        self._busy[request.ticket] = connection
        connection.send(request)

    async def _connect(self) -> None:
        host, port = self._address
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(self._connection, host, port, ssl=self._tls)
        except (OSError, UnicodeError) as error:  # a name that cannot be one is a UnicodeError
            self._refused(error)
            return
        self._open.add(connection)
        self.peak = max(self.peak, len(self._open))
        self._next(connection, self._again or self._waiting)

    def _refused(self, error: OSError | UnicodeError) -> None:
        """No connection came about: the oldest request ends so, unless that is for want of files on this side."""
        if self._open and isinstance(error, OSError) and error.errno in _NO_FILES:
            self._most, self.short = len(self._open), True
        elif waiting := self._again or self._waiting:
            ticket, _ = waiting.popitem(last=False)
            self._done(ticket, Failure(f"cannot connect: {_reason(error)}"))

    def _connection(self) -> Connection:
        return Connection(answered=self._answered, lost=self._lost)

    def _next(self, connection: Connection, waiting: OrderedDict[int, Request]) -> None:
        """Give a free connection the oldest of the requests, or keep it."""
        if waiting:
            self._put(connection, waiting.popitem(last=False)[1])
        else:
            self._free.append(connection)
            self._grow()

    def _answered(self, connection: Connection, request: Request, response: Response) -> None:
        del self._busy[request.ticket]
        if response.keep_alive:
            self._next(connection, self._waiting)
        self._done(request.ticket, response)

    def _lost(self, connection: Connection, why: str) -> None:
        self._open.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        request, connection.request = connection.request, None
        if request is not None:
            del self._busy[request.ticket]
            self._end(connection, request, why)
        self._grow()  # others may wait for the place that is free now

    def _end(self, connection: Connection, request: Request, why: str) -> None:
        """A request whose connection was lost."""
        if self._resend and connection.stale and not request.again:
            self.resent += 1
            self._again[request.ticket] = replace(request, again=True)
        else:
            self._done(request.ticket, Failure(why))


def _reason(error: OSError | UnicodeError) -> str:
    """Why a connection did not come about, in words without addresses."""
    if isinstance(error, UnicodeError):
        return f"no host can have this name: {error}"
    if error.errno == errno.ECONNREFUSED or "Connect call failed" in str(error):
        return "connection refused"
    return error.strerror or str(error) or type(error).__name__
