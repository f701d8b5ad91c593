"""Which request goes on which connection, over connections that do as a test tells them."""

from __future__ import annotations

import asyncio
import errno
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_load.wire.client import Client, Failure
from phalanx_load.wire.connection import Connection
from phalanx_load.wire.files import SPARE, allow
from phalanx_load.wire.parser import Response

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
LAST_ANSWER = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class Wire(asyncio.Transport):
    """The far end of a connection: what was written to it, and what it does then."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection, self.written = connection, list[bytes]()
        self.owes, self.ended = False, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.owes = True
        self.written.append(bytes(data))

    def abort(self) -> None:
        if not self.ended:
            self.ended = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def answer(self, data: bytes = ANSWER) -> None:
        self.owes = False
        self.connection.data_received(data)


@dataclass
class Network:
    """Connections come about, or not, when a test says so."""

    wires: list[Wire] = field(default_factory=list)
    dials: list[asyncio.Future[OSError | None]] = field(default_factory=list)

    async def create_connection(self, factory: Callable[[], Connection], *_: Any, **__: Any) -> tuple[Wire, Connection]:
        dial: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
        self.dials.append(dial)
        error = await dial
        if error is not None:
            raise error
        connection = factory()
        self.wires.append(Wire(connection))
        connection.connection_made(self.wires[-1])
        return self.wires[-1], connection

    @property
    def dialling(self) -> list[asyncio.Future[OSError | None]]:
        return [dial for dial in self.dials if not dial.done()]

    @property
    def owing(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.owes and not wire.ended]

    async def connect(self, *, error: OSError | None = None) -> None:
        if self.dialling:
            self.dialling[0].set_result(error)
        await settle()


async def settle() -> None:
    """Let everything that is to happen at once happen."""
    for _ in range(10):
        await asyncio.sleep(0)


class Bench:
    """A client on a network, and what it says of its requests."""

    def __init__(self, *, connections: int) -> None:
        self.network = Network()
        asyncio.get_running_loop().create_connection = self.network.create_connection  # type: ignore[assignment,method-assign]
        self.outcomes: dict[int, Response | Failure] = {}
        self.calls = Counter[int]()
        self.client = Client(("host", 80), secure=False, connections=connections, done=self._done)

    def _done(self, ticket: int, outcome: Response | Failure) -> None:
        self.calls[ticket] += 1
        self.outcomes[ticket] = outcome

    async def send(self, *tickets: int) -> None:
        for ticket in tickets:
            self.client.send(ticket, f"request {ticket}".encode())
        await settle()

    async def answer_all(self) -> None:
        """Be a good server until nothing is left to do."""
        while self.network.dialling or self.network.owing:
            for wire in self.network.owing:
                wire.answer()
            await self.network.connect()


async def test_who_waits_at_the_bound_gets_the_place_of_a_connection_that_broke() -> None:
    bench = Bench(connections=1)
    await bench.send(1, 2, 3)
    await bench.network.connect()
    bench.network.wires[0].abort()
    await settle()
    assert isinstance(bench.outcomes[1], Failure)
    # Nothing more is sent that would open a connection by the way.
    await bench.answer_all()
    assert [type(bench.outcomes[ticket]) for ticket in (2, 3)] == [Response, Response]


@pytest.mark.parametrize("connections", [2, 10])
async def test_what_is_sent_again_goes_on_a_new_connection(connections: int) -> None:
    bench = Bench(connections=connections)
    await bench.send(1, 2)
    await bench.network.connect()
    await bench.network.connect()
    one, other = bench.network.wires
    one.answer()
    await bench.send(3)
    one.abort()
    await settle()
    other.answer()
    await settle()
    assert other.written == [b"request 2"]
    await bench.network.connect()
    assert bench.network.wires[2].written == [b"request 3"]


async def test_who_waits_longest_does_not_take_the_connection_that_was_opened_for_a_second_try() -> None:
    bench = Bench(connections=1)
    await bench.send(1)
    await bench.network.connect()
    bench.network.wires[0].answer()
    await bench.send(2, 3)
    bench.network.wires[0].abort()
    await settle()
    await bench.network.connect()
    bench.network.wires[1].answer()
    await settle()
    assert bench.network.wires[1].written == [b"request 2", b"request 3"]


async def test_without_files_for_more_connections_requests_wait_for_those_that_there_are() -> None:
    bench = Bench(connections=10)
    await bench.send(1, 2, 3)
    await bench.network.connect()
    while bench.network.dialling:
        await bench.network.connect(error=OSError(errno.EMFILE, "Too many open files"))
    assert bench.outcomes == {}
    assert bench.client.short
    await bench.answer_all()
    assert {type(bench.outcomes[ticket]) for ticket in (1, 2, 3)} == {Response}
    assert len(bench.network.wires) == 1


async def test_without_a_file_for_any_connection_a_request_ends_with_the_reason() -> None:
    bench = Bench(connections=10)
    await bench.send(1)
    await bench.network.connect(error=OSError(errno.EMFILE, "Too many open files"))
    assert bench.outcomes == {1: Failure("cannot connect: Too many open files")}


WEIGHTS = {
    "send": 8, "connect": 5, "refuse": 1, "no files": 1, "answer": 3, "answer and close": 1, "hang up": 2,
    "hang up idle": 1, "abandon": 1,
}  # fmt: skip
STEPS = [step for step, weight in WEIGHTS.items() for _ in range(weight)]


@given(
    connections=st.integers(1, 4),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20)), min_size=10, max_size=80),
)
async def test_whatever_the_server_does_every_request_ends_once_and_none_is_stranded(
    connections: int, steps: list[tuple[str, int]]
) -> None:
    bench = Bench(connections=connections)
    network, sent, abandoned = bench.network, 0, set[int]()
    for step, pick in steps:
        idle = [wire for wire in network.wires if not wire.owes and not wire.ended]
        if step == "send":
            await bench.send(sent)
            sent += 1
        elif step == "connect":
            await network.connect()
        elif step == "refuse":
            await network.connect(error=ConnectionRefusedError(errno.ECONNREFUSED, "no"))
        elif step == "no files":
            await network.connect(error=OSError(errno.EMFILE, "no"))
        elif step == "hang up idle" and idle:
            idle[pick % len(idle)].abort()
        elif step == "abandon" and sent and pick % sent not in bench.outcomes:
            abandoned.add(pick % sent)
            bench.client.abandon(pick % sent)
        elif step.startswith("answer") and network.owing:
            network.owing[pick % len(network.owing)].answer(ANSWER if step == "answer" else LAST_ANSWER)
        elif step == "hang up" and network.owing:
            network.owing[pick % len(network.owing)].abort()
        await settle()
        assert sum(not wire.ended for wire in network.wires) <= connections
    await bench.answer_all()
    assert bench.calls == Counter(set(range(sent)) - abandoned)
    for number in range(sent):
        on = [wire for wire in network.wires if f"request {number}".encode() in wire.written]
        assert len(on) <= 2
        # A second try is the first on its connection.
        assert len(on) < 2 or on[1].written[0] == f"request {number}".encode()
    bench.client.close()
    await settle()


@pytest.mark.parametrize(
    ("soft", "hard", "set_to", "fit"),
    [
        (1024, 4096, 1024 + SPARE, 1024),
        (256, 256, 256, 256 - SPARE),
        (256, 700, 700, 700 - SPARE),
        (10, 10, 10, 1),
        (256, resource.RLIM_INFINITY, 1024 + SPARE, 1024),
        (65536, 65536, None, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 1024),
    ],
)
def test_the_limit_of_open_files_is_raised_as_far_as_connections_need_it(
    soft: int, hard: int, set_to: int | None, fit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits[0]))
    assert allow(1024) == fit
    assert raised == ([] if set_to is None else [set_to])


def test_a_limit_that_cannot_be_raised_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert allow(1024) == 256 - SPARE
