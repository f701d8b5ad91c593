"""Electors over one Lease, with requests that fail and hang. Time is virtual."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from phalanx_operator.errors import ClusterError
from phalanx_operator.lead.election import Record
from phalanx_operator.lead.elector import STALE_AFTER_S, Elector
from phalanx_operator.lead.fence import Fence

pytestmark = pytest.mark.looptime
TAKEOVER_S = 15.0 + 2 * 2.4


class FakeLease:
    """One Lease as its server keeps it; `down` refuses everybody, `deaf` takes writes and does not answer."""

    def __init__(self) -> None:
        self.record: Record | None = Record(holder="", lease_s=0.0, version="1")
        self.down: set[str] = set()
        self.deaf = False
        self.hangs = False

    def of(self, name: str) -> LeaseOfOne:
        return LeaseOfOne(self, name)


class LeaseOfOne:
    """What one replica has of it."""

    def __init__(self, shared: FakeLease, name: str) -> None:
        self._shared, self._name = shared, name

    async def read(self) -> Record | None:
        await self._reach()
        return self._shared.record

    async def write(self, record: Record) -> Record:
        await self._reach()
        now = self._shared.record
        if record.version != (now.version if now else ""):
            raise ClusterError("the object has been modified")
        version = str(int(record.version or 0) + 1)
        self._shared.record = replace(record, version=version)
        if self._shared.deaf:
            raise ClusterError("no answer")
        return self._shared.record

    async def _reach(self) -> None:
        await asyncio.sleep(0.01)
        if self._shared.hangs:
            await asyncio.Event().wait()
        if self._name in self._shared.down:
            raise ClusterError("unreachable")


class Process:
    """An elector that runs."""

    def __init__(self, shared: FakeLease, name: str) -> None:
        clock = asyncio.get_running_loop().time
        self.fence = Fence(clock)
        self.elector = Elector(shared.of(name), self.fence, identity=name, clock=clock, dice=lambda: 1.0)
        self.task = asyncio.create_task(self.elector.run())

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def led_after(process: Process) -> float:
    """Seconds until it leads."""
    begun = asyncio.get_running_loop().time()
    await process.fence.opened()
    return asyncio.get_running_loop().time() - begun


async def test_the_first_leads_at_once_and_the_other_waits_for_as_long_as_it_renews():
    shared = FakeLease()
    first, other = Process(shared, "a"), Process(shared, "b")
    assert await led_after(first) < 0.1
    await asyncio.sleep(120)
    assert first.fence.is_open
    assert not other.fence.is_open
    assert (shared.record.holder, shared.record.transitions) == ("a", 1)
    assert other.elector.problem() == ""
    await asyncio.gather(first.kill(), other.kill())


async def test_a_leader_that_dies_is_followed_within_a_lease_and_a_try():
    shared = FakeLease()
    first = Process(shared, "a")
    await led_after(first)
    other = Process(shared, "b")
    await asyncio.sleep(5)
    await first.kill()
    assert await led_after(other) <= TAKEOVER_S
    assert not first.fence.is_open
    await other.kill()


async def test_a_leader_that_ends_in_order_is_followed_by_the_next_look():
    shared = FakeLease()
    first = Process(shared, "a")
    await led_after(first)
    other = Process(shared, "b")
    await asyncio.sleep(5)
    await first.kill()
    await first.elector.release()
    assert not first.fence.is_open
    assert await led_after(other) <= 2.5
    await other.kill()


async def test_a_leader_that_cannot_renew_stops_before_the_other_begins(caplog):
    shared = FakeLease()
    first = Process(shared, "a")
    await led_after(first)
    other = Process(shared, "b")
    await asyncio.sleep(5)
    shared.down = {"a"}
    stopped = asyncio.create_task(first.fence.closed())
    taken = asyncio.create_task(led_after(other))
    await stopped
    assert not taken.done()
    assert 10 < await taken <= TAKEOVER_S
    assert not first.fence.is_open
    assert "a leads no more" in caplog.text
    shared.down = set()
    await asyncio.sleep(60)
    assert (first.fence.is_open, other.fence.is_open) == (False, True)
    await asyncio.gather(first.kill(), other.kill())


async def test_after_an_outage_for_all_the_leader_goes_on_at_its_next_try():
    shared = FakeLease()
    first, other = Process(shared, "a"), Process(shared, "b")
    await led_after(first)
    await asyncio.sleep(5)
    shared.down = {"a", "b"}
    await asyncio.sleep(300)
    assert not first.fence.is_open
    shared.down = set()
    assert await led_after(first) <= 2.5
    assert not other.fence.is_open
    await asyncio.gather(first.kill(), other.kill())


async def test_a_renewal_whose_answer_is_lost_is_read_again_and_not_believed():
    shared = FakeLease()
    first = Process(shared, "a")
    await led_after(first)
    shared.deaf = True
    await asyncio.sleep(30)
    assert not first.fence.is_open, "it never heard that it was renewed"
    assert shared.record.holder == "a"
    shared.deaf = False
    assert await led_after(first) <= 2.5
    await first.kill()


async def test_a_deleted_lease_costs_its_leader_the_lead_for_the_time_of_a_lease():
    shared = FakeLease()
    first = Process(shared, "a")
    await led_after(first)
    await asyncio.sleep(5)
    shared.record = None
    await asyncio.wait_for(first.fence.closed(), 5)
    assert 10 <= await led_after(first) <= TAKEOVER_S
    await first.kill()


async def test_an_election_that_hangs_is_a_problem():
    shared = FakeLease()
    shared.hangs = True
    process = Process(shared, "a")
    await asyncio.sleep(STALE_AFTER_S - 1)
    assert process.elector.problem() == ""
    await asyncio.sleep(2)
    assert "no step of the election for 61 s" in process.elector.problem()
    await process.kill()


async def test_releasing_what_cannot_be_reached_is_no_failure(caplog):
    shared = FakeLease()
    process = Process(shared, "a")
    await led_after(process)
    await process.kill()
    shared.down = {"a"}
    await process.elector.release()
    assert "runs out by itself" in caplog.text
    assert not process.fence.is_open
