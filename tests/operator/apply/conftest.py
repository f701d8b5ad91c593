"""An API server that records what goes over the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from phalanx_operator.apply.api import KubeApi


class Server:
    """Records requests; `answers` maps `METHOD path` to status and body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        self.answers: dict[str, tuple[int, Any]] = {}

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        content = json.loads(body) if body else None
        self.requests.append((request.method, request.path_qs, request.content_type, content))
        status, answer = self.answers.get(f"{request.method} {request.path}", (200, {}))
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[KubeApi]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    configuration.api_key = {"BearerToken": "Bearer secret"}
    api = KubeApi(ApiClient(configuration))
    yield api
    await api.close()
    await runner.cleanup()
