"""Who gets an adapter slot, in virtual time: everybody in the end, and never another's adapter."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_grid import AdapterTable
from phalanx_server.errors import Overloaded, Unavailable
from phalanx_server.serving.leases import GRACE_S, Lease, Leases, barred
from tests.grid.builders import make_adapter, make_grid

pytestmark = pytest.mark.looptime

GRID = make_grid()
WORK_S, WRITE_S = 0.1, 0.01


@dataclass(eq=False)
class Borrower:
    """A tenant; its label is its digest."""

    digest: str
    weights: Any
    why: str = "it is being loaded"


def borrower(name: str) -> Borrower:
    return Borrower(name, replace(make_adapter(GRID.geometry, seed=1, classes=2), labels=(name, "other")))


@dataclass
class Desk:
    """Leases on a table, and what came of requests: seconds until answered, or None, by tenant."""

    slots: int
    leases: Leases = field(init=False)
    waits: dict[str, list[float | None]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.table = AdapterTable.for_grid(GRID, slots=self.slots, rank_max=2)
        self.leases = Leases(self.table, self._run)

    async def _run(self, call: Callable[..., Any], *args: Any) -> Any:
        await asyncio.sleep(WRITE_S)
        return call(*args)

    async def ask(self, tenant: Borrower, *, work_s: float = WORK_S, wait_s: float = 1.0, texts: int = 1) -> None:
        """One request: the slot is its tenant's from the lease to the end."""
        start_s = asyncio.get_running_loop().time()
        try:
            lease = await self.leases.lease(tenant, texts, wait_s=wait_s)
        except Overloaded:
            self.waits[tenant.digest].append(None)
            return
        assert self.holds(lease, tenant)
        try:
            await asyncio.sleep(work_s)
            assert self.holds(lease, tenant)
            self.waits[tenant.digest].append(asyncio.get_running_loop().time() - start_s)
        finally:
            for _ in range(texts):
                self.leases.release(lease.slot)

    def holds(self, lease: Lease, tenant: Borrower) -> bool:
        return self.table._held[lease.slot].digest == tenant.digest and lease.labels == tenant.weights.labels

    def busy(self) -> bool:
        return any(held.users for held in self.table._held.values())


async def steadily(desk: Desk, tenant: Borrower, *, every_s: float, until_s: float, wait_s: float = 1.0) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        while loop.time() < until_s:
            group.create_task(desk.ask(tenant, wait_s=wait_s))
            await asyncio.sleep(every_s)


@pytest.mark.parametrize(("slots", "hot", "cold"), [(1, 1, 1), (1, 1, 3), (2, 2, 1), (2, 2, 4), (4, 4, 1), (4, 4, 6)])
async def test_tenants_without_a_slot_are_answered_beside_as_many_busy_ones_as_there_are_slots(
    slots: int, hot: int, cold: int
) -> None:
    """Each busy tenant has six requests at work at any time, so it would never leave its slot."""
    desk, end_s = Desk(slots), asyncio.get_running_loop().time() + 8
    async with asyncio.TaskGroup() as group:
        for index in range(hot):
            group.create_task(steadily(desk, borrower(f"hot {index}"), every_s=0.017, until_s=end_s, wait_s=3))
        for index in range(cold):
            group.create_task(steadily(desk, borrower(f"cold {index}"), every_s=0.3, until_s=end_s, wait_s=3))
    rounds = 1 + (cold + max(slots // 2, 1)) // max(slots // 2, 1)
    for waits in desk.waits.values():
        answered = [wait for wait in waits if wait is not None]
        assert len(answered) == len(waits)
        assert max(answered) <= 2 * rounds * (WORK_S + GRACE_S + cold * WRITE_S)
    assert not desk.busy()


async def test_a_busy_tenant_keeps_its_slot_while_nobody_else_asks() -> None:
    desk, end_s = Desk(1), asyncio.get_running_loop().time() + 3
    await steadily(desk, borrower("hot"), every_s=0.02, until_s=end_s)
    assert max(wait or 9.0 for wait in desk.waits["hot"]) <= WORK_S + WRITE_S + 0.001


async def test_one_adapter_that_comes_serves_all_who_wait_for_it() -> None:
    desk, hot, cold = Desk(1), borrower("hot"), borrower("cold")
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.ask(hot))
        await asyncio.sleep(2 * WRITE_S)
        for tenant in (cold, hot, cold, hot):
            group.create_task(desk.ask(tenant))
    assert max(wait or 9.0 for wait in desk.waits["cold"]) < 2 * WORK_S + 4 * WRITE_S
    assert max(wait or 9.0 for wait in desk.waits["hot"]) < 3 * WORK_S + 6 * WRITE_S


async def test_who_waits_too_long_or_leaves_holds_nothing_and_keeps_nobody_waiting() -> None:
    desk, long, cold, third = Desk(1), borrower("long"), borrower("cold"), borrower("third")
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.ask(long, work_s=2.0))
        await asyncio.sleep(2 * WRITE_S)
        leaving = asyncio.create_task(desk.ask(third, wait_s=5))
        await desk.ask(cold, wait_s=0.5)
        leaving.cancel()
        await asyncio.sleep(WRITE_S)
        group.create_task(desk.ask(long))
    assert desk.waits["cold"] == [None]
    assert "third" not in desk.waits
    assert desk.waits["long"][0] == pytest.approx(WORK_S)
    assert not desk.busy()


async def test_an_adapter_that_cannot_be_written_fails_for_its_own_tenant_alone() -> None:
    desk, good = Desk(1), borrower("good")
    bad = Borrower("bad", make_adapter(GRID.geometry, seed=1, rank=4))
    outcomes = await asyncio.gather(desk.ask(bad), desk.ask(good), desk.ask(bad), return_exceptions=True)
    assert [outcome is None for outcome in outcomes] == [False, True, False]
    with pytest.raises(Unavailable, match="being loaded"):
        await desk.ask(Borrower("", None))


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_and_leaves_everybody_is_served_or_told_and_nothing_stays_pinned(seed: int) -> None:
    chance = random.Random(seed)
    desk = Desk(chance.randint(1, 4))
    tenants = [borrower(f"t{index}") for index in range(6)]
    tasks = []
    for _ in range(150):
        request = desk.ask(chance.choice(tenants), work_s=chance.uniform(0, 0.2), texts=chance.randint(1, 3))
        tasks.append(asyncio.create_task(request))
        await asyncio.sleep(chance.choice([0, 0, 0.01, 0.1]))
        if chance.random() < 0.2:
            chance.choice(tasks).cancel()
        if chance.random() < 0.1:
            desk.table.remove(chance.choice(tenants).digest)
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in done} <= {type(None), asyncio.CancelledError}
    assert not desk.busy()


names = st.sampled_from("abcdefgh")


@given(st.lists(names, unique=True), st.lists(names), st.integers(1, 8))
def test_slots_are_barred_for_those_who_wait_and_half_at_most(held: list[str], waiting: list[str], slots: int) -> None:
    kept = barred(held, waiting, slots=slots)
    assert kept == set(held[: len(kept)])
    assert len(kept) <= max(slots // 2, 1)
    assert bool(kept) == bool(held and set(waiting) - set(held))
