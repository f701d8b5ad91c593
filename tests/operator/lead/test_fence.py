"""The fence in front of every write. Time is virtual."""

from __future__ import annotations

import asyncio

import pytest

from phalanx_operator.errors import FencedError
from phalanx_operator.lead.fence import Fence, always_open, steady_clock

pytestmark = pytest.mark.looptime


def fence() -> Fence:
    return Fence(asyncio.get_running_loop().time)


async def test_no_write_passes_before_there_is_a_lease_or_after_it_has_run_out():
    guard = fence()
    with pytest.raises(FencedError, match="may not write"), guard.admit():
        pass
    guard.extend(until=10.0, over=12.5)
    await asyncio.sleep(9)
    with guard.admit() as limit_s:
        assert limit_s == pytest.approx(3.5)
    await asyncio.sleep(1)
    with pytest.raises(FencedError), guard.admit():
        pass


async def test_closing_keeps_new_writes_back_and_lets_those_under_way_end():
    guard = fence()
    guard.extend(until=10.0, over=12.5)
    with guard.admit():
        guard.close()
        assert not guard.is_open
        draining = asyncio.create_task(guard.drained())
        await asyncio.sleep(1)
        assert not draining.done()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert draining.done()


async def test_a_write_that_failed_or_was_cancelled_is_under_way_no_more():
    guard = fence()
    guard.extend(until=10.0, over=12.5)
    with pytest.raises(ZeroDivisionError), guard.admit():
        raise ZeroDivisionError
    await guard.drained()


async def test_who_waits_is_told_of_the_opening_and_of_the_end_that_time_brings():
    guard, times = fence(), []

    async def follow() -> None:
        await guard.opened()
        times.append(asyncio.get_running_loop().time())
        await guard.closed()
        times.append(asyncio.get_running_loop().time())

    following = asyncio.create_task(follow())
    await asyncio.sleep(3)
    guard.extend(until=13.0, over=15.5)
    await asyncio.sleep(2)
    guard.extend(until=15.0, over=17.5)
    await asyncio.sleep(20)
    assert times == [pytest.approx(3.0), pytest.approx(15.0)]
    assert following.done()


async def test_the_only_replica_of_all_may_always_write():
    with always_open().admit() as limit_s:
        assert limit_s == float("inf")


def test_the_clock_of_a_lease_goes_forward():
    assert steady_clock() <= steady_clock()
