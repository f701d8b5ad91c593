"""The strikes, one after the other, under a constant load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.chaos.plan import Strike
from bench.chaos.rows import GIVEN_UP_S, Change, Row, count
from bench.chaos.stage import MODEL, TEXT, Stage, left_to_load, stage
from bench.chaos.strikes import STRIKES, Struck
from phalanx_load import Phase, poisson
from tests.e2e.artifacts import Artifact
from tests.e2e.prometheus import Prometheus
from tests.e2e.scene import Scene
from tests.e2e.traffic import Traffic, valid_answers
from tests.e2e.waiting import eventually

RATE: Final = 77.0
"""Requests a second: 1.4 workers' work, which the operator gives three workers, and two can bear."""
_LONGEST_S: Final = 7200.0

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """A strike that is over at `until`; what was sent since the one before belongs to it."""

    strike: Strike
    struck: Struck
    converged_s: float | None
    since: float
    until: float


async def chaos(
    scene: Scene, prometheus: Prometheus, artifact: Artifact, strikes: Sequence[Strike], *, seed: int, tell: Tell
) -> list[Row]:
    """Strike by strike; `tell` gets a line whenever something begins. What a strike breaks is in its row."""
    tell("starting workers")
    async with stage(scene, prometheus, artifact) as found:
        valid = valid_answers(artifact, TEXT)
        traffic = Traffic(found.service, model=MODEL, text=TEXT, valid=valid, seed=seed)
        load = asyncio.create_task(
            traffic.drive(poisson([Phase(name="load", seconds=_LONGEST_S, rate=RATE)], seed=seed))
        )
        try:
            tell("under load, until the load alone keeps the workers")
            await left_to_load(found)
            done = await _all(found, strikes, tell)
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        await traffic.settle()
        await traffic.close()
        return [_row(each, found, traffic) for each in done]


async def _all(found: Stage, strikes: Sequence[Strike], tell: Tell) -> list[_Done]:
    done: list[_Done] = []
    since = time.monotonic()
    for number, strike in enumerate(strikes, 1):
        tell(f"{number} of {len(strikes)}: calm, before {strike.fault} is killed")
        await asyncio.sleep(strike.calm_s)
        tell(f"{number} of {len(strikes)}: {strike.fault} is killed")
        struck = await STRIKES[strike.fault](found, strike)
        tell(f"{number} of {len(strikes)}: {strike.fault} runs again; until all is as it should be")
        converged_s = await _converged_s(found, struck)
        until = time.monotonic()
        done.append(_Done(strike=strike, struck=struck, converged_s=converged_s, since=since, until=until))
        since = until
    return done


async def _converged_s(found: Stage, struck: Struck) -> float | None:
    try:
        await eventually(found.converged, within_s=GIVEN_UP_S)
    except AssertionError:
        return None
    return time.monotonic() - struck.back_at


def _row(done: _Done, found: Stage, traffic: Traffic) -> Row:
    struck = done.struck
    sent = [each for each in traffic.sent if done.since <= each.at < done.until]
    levels = (found.students, found.workers)
    students, workers = (
        Change(held=level.before(struck.killed_at), lowest=level.lowest(struck.killed_at, done.until))
        for level in levels
    )
    return Row(
        fault=done.strike.fault,
        down_s=struck.back_at - struck.killed_at,
        requests=count(sent, killed=struck.pod, at=struck.killed_at),
        students=students,
        workers=workers,
        converged_s=done.converged_s,
    )
