"""Open-loop load: requests are sent when they are due, whether or not earlier ones were answered.

Latency counts from the moment a request was due, so a server that stalls cannot hide it (coordinated omission).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from phalanx_contract.runtime import HEADER_EXIT_ROW, HEADER_STUDENTS

TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of constant mean rate (Poisson arrivals)."""

    name: str
    seconds: float
    rate: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of one request. Times are seconds since the run began; `students` is 0 if there was no answer."""

    phase: str
    due_s: float
    latency_s: float
    status: int
    students: int = 0
    exit_row: str = ""
    label: str = ""
    correct: bool = False


def arrivals(phases: Sequence[Phase], *, seed: int) -> list[tuple[float, Phase]]:
    """The times at which requests are due, for all phases in order."""
    chance = random.Random(seed)
    due: list[tuple[float, Phase]] = []
    start = 0.0
    for phase in phases:
        at = start + chance.expovariate(phase.rate)
        while at < start + phase.seconds:
            due.append((at, phase))
            at += chance.expovariate(phase.rate)
        start += phase.seconds
    return due


async def ask(session: aiohttp.ClientSession, url: str, row: Row, *, phase: str, due_s: float, began: float) -> Answer:
    """Send one text and say what came back; a failed connection is status 0."""
    try:
        async with session.post(f"{url}/predict", json={"inputs": row.text}) as response:
            body = await response.json()
            latency_s = time.monotonic() - began - due_s
            if response.status != 200:
                return Answer(phase=phase, due_s=due_s, latency_s=latency_s, status=response.status)
            label = max(body, key=lambda item: item["score"])["label"]
            return Answer(
                phase=phase,
                due_s=due_s,
                latency_s=latency_s,
                status=200,
                students=int(response.headers[HEADER_STUDENTS]),
                exit_row=response.headers[HEADER_EXIT_ROW],
                label=label,
                correct=label == row.label,
            )
    except (aiohttp.ClientError, TimeoutError):
        return Answer(phase=phase, due_s=due_s, latency_s=time.monotonic() - began - due_s, status=0)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), connector=aiohttp.TCPConnector(limit=0)
    )


async def drive(
    url: str, rows: Sequence[Row], phases: Sequence[Phase], *, seed: int, tick: Callable[[int, int], None]
) -> list[Answer]:
    """Run the phases against a server; `tick(sent, total)` is called as requests go out."""
    due = arrivals(phases, seed=seed)
    chance = random.Random(seed + 1)
    async with _session() as session:
        began = time.monotonic()
        tasks = []
        for sent, (at, phase) in enumerate(due, 1):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            row = rows[chance.randrange(len(rows))]
            tasks.append(asyncio.create_task(ask(session, url, row, phase=phase.name, due_s=at, began=began)))
            tick(sent, len(due))
        return list(await asyncio.gather(*tasks))


async def score(url: str, rows: Sequence[Row], *, concurrency: int, tick: Callable[[int, int], None]) -> list[Answer]:
    """Send every row once, `concurrency` at a time (closed loop), and return the answers in the rows' order."""
    gate = asyncio.Semaphore(concurrency)
    done = 0
    async with _session() as session:
        began = time.monotonic()

        async def one(row: Row) -> Answer:
            nonlocal done
            async with gate:
                answer = await ask(session, url, row, phase="score", due_s=time.monotonic() - began, began=began)
            done += 1
            tick(done, len(rows))
            return answer

        return list(await asyncio.gather(*(one(row) for row in rows)))
