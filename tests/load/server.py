"""A server on the loopback that does as a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

Behave = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """Its address and what it was asked."""

    url: str = ""
    asked: list[tuple[str, dict[str, str], object]] = field(default_factory=list)
    _stall_s: float = 0.0
    _stalled_until_s: float = 0.0

    def stall(self, seconds: float) -> None:
        """Answer nothing for so long, from the next request on: however late the machine lets it come."""
        self._stall_s = seconds

    def asked_for(self, path: str, headers: dict[str, str], body: object) -> float:
        """Take note of a request; the seconds that it has to wait."""
        self.asked.append((path, headers, body))
        now_s = time.monotonic()
        if self._stall_s:
            self._stalled_until_s, self._stall_s = now_s + self._stall_s, 0.0
        return max(0.0, self._stalled_until_s - now_s)

    @property
    def texts(self) -> list[object]:
        """The texts of /predict requests, in order of arrival."""
        return [body["inputs"] for _, _, body in self.asked if isinstance(body, dict)]


def scores(*, label: str = "yes", students: int | None = 2, exit_row: str = "final") -> web.Response:
    """An answer to /predict."""
    headers = {} if students is None else {"X-Phalanx-Students": str(students), "X-Phalanx-Exit-Row": exit_row}
    body = [{"score": 0.9, "label": label}, {"score": 0.1, "label": "other"}]
    return web.Response(body=msgspec.json.encode(body), content_type="application/json", headers=headers)


async def right(request: web.Request) -> web.StreamResponse:
    """Always the same good answer, in the dialect of the question."""
    if request.path.endswith("/embed"):
        return web.json_response([[0.1, 0.2]])
    if request.path.endswith("/infer"):
        return web.json_response({"outputs": [{"name": "label", "data": ["yes"]}]})
    return scores()


@contextlib.asynccontextmanager
async def serving(behave: Behave = right) -> AsyncIterator[Server]:
    """A server whose every POST is answered by `behave`."""
    server = Server()

    async def handle(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(server.asked_for(request.path, dict(request.headers), await request.json()))
        return await behave(request)

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
