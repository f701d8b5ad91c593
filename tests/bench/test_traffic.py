"""The account that chaos rests on: every end that a request can come to is told from the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from phalanx_contract.runtime import HEADER_STUDENTS
from phalanx_load import Phase, poisson
from tests.e2e import traffic as module
from tests.e2e.controlplane import free_port
from tests.e2e.service import Service
from tests.e2e.traffic import Outcome, Traffic

GOOD = json.dumps({"outputs": [{"name": "label", "data": ["positive"]}]}).encode()
SCHEDULE = poisson([Phase(name="some", seconds=0.2, rate=50)], seed=1)


def answer(status: int, body: bytes = GOOD) -> Callable[[asyncio.StreamWriter], None]:
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{HEADER_STUDENTS}: 2\r\n\r\n".encode()
    return lambda writer: writer.write(head + body)


def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


def answer_once() -> Callable[[asyncio.StreamWriter], None]:
    """The first request of each connection; at the second it hangs up."""
    seen: set[asyncio.StreamWriter] = set()

    def reply(writer: asyncio.StreamWriter) -> None:
        (hang_up if writer in seen else answer(200))(writer)
        seen.add(writer)

    return reply


def be_silent(writer: asyncio.StreamWriter) -> None:
    """The request stays open."""


@asynccontextmanager
async def worker(reply: Callable[[asyncio.StreamWriter], None]) -> AsyncIterator[str]:
    """A server on loopback that gives every request the same reply."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.decode().split("\r\n") if line.startswith("Content-Length"))
                await reader.readexactly(int(length.partition(":")[2]))
                reply(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"{host}:{port}"
    server.close()


async def ends(ready: dict[str, str]) -> set[tuple[Outcome, int]]:
    """What all requests came to, with the students of their answers."""
    service = cast(Service, SimpleNamespace(ready=ready))
    traffic = Traffic(service, model="m", text="t", valid=lambda response: b"positive" in response.body)
    await traffic.drive(SCHEDULE)
    await asyncio.wait_for(traffic.settle(), 30)
    await traffic.close()
    assert len(traffic.sent) == len(SCHEDULE)
    return {(each.outcome, each.students) for each in traffic.sent}


@pytest.mark.parametrize(
    ("reply", "end"),
    [
        (answer(200), (Outcome.ANSWERED, 2)),
        (answer(200, b'{"outputs": []}'), (Outcome.WRONG, 0)),
        (answer(429), (Outcome.REFUSED, 0)),
        (answer(503), (Outcome.REFUSED, 0)),
        (answer(500), (Outcome.WRONG, 0)),
        (hang_up, (Outcome.BROKEN, 0)),
        (be_silent, (Outcome.LATE, 0)),
    ],
    ids=["answered", "an answer that is wrong", "429", "503", "500", "hung up", "silent"],
)
async def test_every_request_has_the_end_that_the_server_gave_it(monkeypatch, reply, end):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.5 if reply is be_silent else 20.0)
    async with worker(reply) as address:
        assert await ends({"pod": address}) == {end}


async def test_what_a_kept_connection_loses_is_not_sent_again_unseen():
    async with worker(answer_once()) as address:
        assert await ends({"pod": address}) == {(Outcome.ANSWERED, 2), (Outcome.BROKEN, 0)}


async def test_nobody_at_the_address_and_no_ready_worker_are_not_reached():
    assert await ends({"pod": f"127.0.0.1:{free_port()}"}) == {(Outcome.UNREACHED, 0)}
    assert await ends({}) == {(Outcome.UNREACHED, 0)}


async def test_requests_are_spread_over_all_ready_workers():
    async with worker(answer(200)) as one, worker(answer(200)) as other:
        service = cast(Service, SimpleNamespace(ready={"a": one, "b": other}))
        traffic = Traffic(service, model="m", text="t", valid=lambda _: True)
        await traffic.drive(poisson([Phase(name="some", seconds=0.3, rate=200)], seed=1))
        await asyncio.wait_for(traffic.settle(), 30)
        await traffic.close()
        assert {each.pod for each in traffic.sent} == {"a", "b"}
