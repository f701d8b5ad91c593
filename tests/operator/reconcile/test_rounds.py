"""When rounds run. Time is virtual."""

from __future__ import annotations

import asyncio
import logging

import pytest

from phalanx_operator.api.types import Key
from phalanx_operator.errors import ClusterError, FencedError
from phalanx_operator.reconcile.rounds import DEBOUNCE_S, ROUND_TIMEOUT_S, STUCK_AFTER_S, Rounds, Stage

pytestmark = pytest.mark.looptime
A, B = Key("default", "a"), Key("default", "b")


class Log:
    """Rounds as they ran: key and time."""

    def __init__(self, due_s: float = 10.0) -> None:
        self.ran: list[tuple[Key, float]] = []
        self.due_s = due_s
        self.failures = 0

    async def __call__(self, key: Key) -> float:
        self.ran.append((key, asyncio.get_running_loop().time()))
        if self.failures:
            self.failures -= 1
            raise ClusterError("refused")
        return self.due_s

    @property
    def times(self) -> list[float]:
        return [round(at, 6) for _, at in self.ran]


async def test_many_marks_in_a_moment_make_one_round():
    log = Log()
    rounds = Rounds(log)
    for _ in range(100):
        rounds.mark(A)
    await asyncio.sleep(1)
    assert log.ran == [(A, pytest.approx(DEBOUNCE_S))]
    await rounds.close()


async def test_without_marks_rounds_come_at_the_interval():
    log = Log(due_s=10.0)
    rounds = Rounds(log)
    rounds.mark(A)
    await asyncio.sleep(35)
    assert len(log.ran) == 4
    await rounds.close()


async def test_a_mark_during_the_wait_wakes_that_pool_alone():
    log = Log(due_s=1000.0)
    rounds = Rounds(log)
    rounds.mark(A)
    rounds.mark(B)
    await asyncio.sleep(5)
    rounds.mark(B)
    await asyncio.sleep(1)
    assert [key for key, _ in log.ran] == [A, B, B]
    await rounds.close()


async def test_failures_are_tried_again_with_growing_waits_and_forgotten_after_success(caplog):
    log = Log(due_s=100.0)
    log.failures = 3
    rounds = Rounds(log, dice=lambda: 0.0)
    rounds.mark(A)
    await asyncio.sleep(20)
    waits = [later - earlier for earlier, later in zip(log.times, log.times[1:], strict=False)]
    assert waits == [pytest.approx(wait + DEBOUNCE_S) for wait in (1, 2, 4)]
    assert "pool default/a: ClusterError: refused" in caplog.text
    log.failures = 1
    rounds.mark(A)
    await asyncio.sleep(3)
    assert log.times[-1] - log.times[-2] == pytest.approx(1 + DEBOUNCE_S)
    await rounds.close()


async def test_a_server_that_asks_for_time_is_given_it_and_pools_that_failed_together_come_back_apart():
    class BusyError(ClusterError):
        retry_after_s = 30.0

    times: dict[Key, list[float]] = {A: [], B: []}

    async def busy(key: Key) -> float:
        times[key].append(asyncio.get_running_loop().time())
        raise BusyError("too many requests")

    rolls = iter([0.0, 0.9])
    rounds = Rounds(busy, dice=lambda: next(rolls, 0.0))
    rounds.mark(A)
    rounds.mark(B)
    await asyncio.sleep(40)
    waits = {key: at[1] - at[0] for key, at in times.items()}
    assert waits == {A: pytest.approx(30 + DEBOUNCE_S), B: pytest.approx(30 * 1.18 + DEBOUNCE_S)}
    await rounds.close()


async def test_stages_tell_where_every_pool_is():
    gate = asyncio.Event()

    async def held(key: Key) -> float:
        await gate.wait()
        if key == B:
            raise ClusterError("refused")
        return 1000.0

    rounds = Rounds(held)
    rounds.mark(A)
    rounds.mark(B)
    assert rounds.stages() == {Stage.DUE: 2}
    await asyncio.sleep(1)
    assert rounds.stages() == {Stage.RUNNING: 2}
    gate.set()
    await asyncio.sleep(0.1)
    assert rounds.stages() == {Stage.WAITING: 1, Stage.FAILING: 1}
    await rounds.close()
    assert rounds.stages() == {}


async def test_a_round_that_hangs_is_cut_off_and_tried_again():
    log = Log()

    async def hangs(key: Key) -> float:
        await log(key)
        await asyncio.Event().wait()
        return 1.0

    rounds = Rounds(hangs)
    rounds.mark(A)
    await asyncio.sleep(ROUND_TIMEOUT_S + 5)
    assert len(log.ran) == 2
    assert rounds.stuck() == []
    await rounds.close()


async def test_a_pool_that_makes_no_progress_is_told():
    async def swallows(key: Key) -> float:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ending:
                    raise

    ending = False
    rounds = Rounds(swallows)
    rounds.mark(A)
    await asyncio.sleep(STUCK_AFTER_S + 1)
    assert rounds.stuck() == [A]
    ending = True
    await rounds.close()


async def test_a_forgotten_pool_has_no_more_rounds():
    log = Log(due_s=1.0)
    rounds = Rounds(log)
    rounds.mark(A)
    await asyncio.sleep(1)
    await rounds.forget(A)
    ran = len(log.ran)
    await asyncio.sleep(10)
    assert len(log.ran) == ran
    assert list(rounds) == []


async def test_a_replica_that_steps_down_reports_no_errors(caplog):
    async def fenced(key: Key) -> float:
        raise FencedError("another replica may be the leader: this one may not write")

    caplog.set_level(logging.INFO)
    rounds = Rounds(fenced, dice=lambda: 0.0)
    rounds.mark(A)
    await asyncio.sleep(1)
    assert [record.levelno for record in caplog.records if "may not write" in record.message] == [logging.INFO]
    await rounds.close()
