"""The Service of local mode."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from phalanx_operator.local.proxy import Address, Proxy
from tests.operator.local.pods import free_port


@pytest.fixture
async def backends() -> AsyncIterator[list[Address]]:
    """Two servers that answer with their number; POST echoes the size of the body."""
    runners = []
    for number in range(2):

        async def get(_: web.Request, number: int = number) -> web.Response:
            return web.Response(text=str(number))

        async def post(request: web.Request) -> web.Response:
            return web.Response(text=str(len(await request.read())))

        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/", get)
        app.router.add_post("/", post)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
    yield [runner.addresses[0][:2] for runner in runners]
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def proxy() -> AsyncIterator[tuple[Proxy, str]]:
    proxy = Proxy()
    host, port = await proxy.start(host="127.0.0.1", port=0)
    yield proxy, f"http://{host}:{port}/"
    await proxy.close()


async def get(url: str) -> tuple[int, str]:
    """On a connection of its own."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_connections_are_spread_over_all_workers(proxy, backends):
    proxy[0].route(backends)
    assert sorted([(await get(proxy[1]))[1] for _ in range(4)]) == ["0", "0", "1", "1"]


async def test_a_worker_that_refuses_is_skipped(proxy, backends):
    proxy[0].route([("127.0.0.1", free_port()), backends[0]])
    assert [await get(proxy[1]) for _ in range(3)] == [(200, "0")] * 3


async def test_without_workers_the_answer_is_503_with_a_reason(proxy):
    status, text = await get(proxy[1])
    assert status == 503
    assert "no worker of this pool is ready" in text


async def test_large_bodies_pass(proxy, backends):
    proxy[0].route(backends)
    async with (
        aiohttp.ClientSession() as session,
        session.post(proxy[1], data=io.BytesIO(b"x" * 10_000_000)) as response,
    ):
        assert await response.text() == "10000000"


async def test_connections_that_exist_survive_a_new_route(proxy, backends):
    proxy[0].route(backends[:1])
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(proxy[1]) as response:
                assert await response.text() == "0"
            proxy[0].route(backends[1:])


async def test_closing_ends_open_connections(backends):
    proxy = Proxy()
    proxy.route(backends)
    host, port = await proxy.start(host="127.0.0.1", port=0)
    reader, writer = await asyncio.open_connection(host, port)
    await proxy.close()
    assert await reader.read() == b""
    writer.close()
