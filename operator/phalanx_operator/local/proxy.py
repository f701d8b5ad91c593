"""The Service of local mode: one stable address in front of the workers that are ready."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

CHUNK = 1 << 16
CONNECT_TIMEOUT_S = 2.0

Address = tuple[str, int]


class Proxy:
    """Spreads TCP connections over back ends in turn. It reads nothing of what passes.

    A back end that refuses is skipped. With none left the client gets a short HTTP 503, so that it sees an
    answer and not a closed connection.
    """

    def __init__(self) -> None:
        self._backends: tuple[Address, ...] = ()
        self._turn = itertools.count()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Proxy {len(self._backends)} back ends, {len(self._connections)} connections>"

    async def start(self, *, host: str, port: int) -> Address:
        """Listen; port 0 takes a free one. Returns the address. Raises OSError if the port is taken."""
        self._server = await asyncio.start_server(self._accept, host, port)
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    def route(self, backends: Sequence[Address]) -> None:
        """Where new connections go from now on; those that exist stay where they are."""
        self._backends = tuple(backends)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # either side hung up, or `close` was called: nobody is left to tell
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = await self._connect()
        if backend is None:
            writer.write(_UNAVAILABLE)
            await writer.drain()
            return
        from_worker, to_worker = backend
        try:
            await asyncio.gather(_pump(reader, to_worker), _pump(from_worker, writer))
        finally:
            to_worker.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        backends = self._backends
        first = next(self._turn)
        for offset in range(len(backends)):
            host, port = backends[(first + offset) % len(backends)]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection(host, port)
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender ends, then pass the end on."""
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


_BODY = b'{"error": "no worker of this pool is ready"}'
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)
