"""Slots: no tenant is ever served with another's weights, whatever comes and goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phalanx_grid import AdapterNotLoaded, AdapterTable, AdapterTableFull, AdapterWeights
from tests.grid.builders import geometry, make_adapter

SHAPE = geometry(students=1, rows=1, hidden=4, ffn=4, heads=1)
SLOTS = 3


def marked(mark: int) -> AdapterWeights:
    """Weights that all have the value of their owner."""
    adapter = make_adapter(SHAPE, seed=0, rank=1, classes=1)
    for tensor in (*adapter.down, *adapter.up, adapter.head_weight, adapter.head_bias):
        tensor.fill_(float(mark))
    return adapter


MARKED = [marked(mark) for mark in range(1, 7)]


def digest(owner: int) -> str:
    return f"sha256:{owner}"


def mark_in(table: AdapterTable, slot: int) -> set[float]:
    """All values that a batch would see in a slot."""
    tensors = table._tensors
    head = tensors.heads[slot]
    assert head is not None
    # the scale alpha / rank = 2 is folded into `up`; ranks above the adapter's are zeros
    parts = [tensors.down[0][:, slot, :, 0], tensors.up[0][:, slot, ..., 0] / 2, head.weight, head.bias]
    return set(torch.cat([part.flatten() for part in parts]).tolist())


class Slots(RuleBasedStateMachine):
    """Random puts, acquisitions, releases and removals against a table of three slots."""

    def __init__(self) -> None:
        super().__init__()
        self.table = AdapterTable(SHAPE, slots=SLOTS, rank_max=2)
        self.pinned: list[tuple[int, int]] = []
        """(owner, slot) of each acquisition"""

    owners = st.integers(0, 5)

    @rule(owner=owners)
    def put(self, owner: int) -> None:
        busy = {slot for _, slot in self.pinned}
        try:
            slot = self.table.put(digest(owner), MARKED[owner])
        except AdapterTableFull:
            assert len(busy) == SLOTS
            return
        assert self.table.slot_of(digest(owner)) == slot
        assert 1 <= slot <= SLOTS

    @rule(owner=owners)
    def acquire(self, owner: int) -> None:
        expected = self.table.slot_of(digest(owner))
        if expected is None:
            with pytest.raises(AdapterNotLoaded):
                self.table.acquire(digest(owner))
        else:
            assert self.table.acquire(digest(owner)) == expected
            self.pinned.append((owner, expected))

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.pinned) - 1))
        self.table.release(self.pinned.pop(index)[1])

    @rule(owner=owners)
    def remove(self, owner: int) -> None:
        self.table.remove(digest(owner))
        assert self.table.slot_of(digest(owner)) is None

    @invariant()
    def a_pinned_slot_holds_its_owners_weights(self) -> None:
        for owner, slot in self.pinned:
            assert mark_in(self.table, slot) == {float(owner + 1)}

    @invariant()
    def a_visible_digest_leads_to_its_own_weights(self) -> None:
        for name in self.table.digests:
            slot = self.table.slot_of(name)
            assert slot is not None
            assert mark_in(self.table, slot) == {float(name.removeprefix("sha256:")) + 1}

    @invariant()
    def no_slot_is_lost_and_slot_0_stays_empty(self) -> None:
        assert len(self.table._free) + self.table.used == SLOTS
        assert not self.table._tensors.down[0][:, 0].any()
        assert self.table._tensors.heads[0] is None


Slots.TestCase.settings = settings(deadline=None, max_examples=80, stateful_step_count=40)
TestSlots = Slots.TestCase


def test_the_adapter_that_was_idle_longest_makes_room() -> None:
    table = AdapterTable(SHAPE, slots=2, rank_max=1)
    table.put("a", MARKED[0])
    table.put("b", MARKED[1])
    with table.using("a"):
        pass
    table.put("c", MARKED[2])
    assert table.digests == ("a", "c")


def test_a_pinned_adapter_is_never_evicted() -> None:
    table = AdapterTable(SHAPE, slots=1, rank_max=1)
    table.put("a", MARKED[0])
    with table.using("a"):
        with pytest.raises(AdapterTableFull, match="all 1 adapter slots are in use"):
            table.put("b", MARKED[1])
        assert table.slot_of("a") == 1
    assert table.put("b", MARKED[1]) == 1
    assert table.slot_of("a") is None


def test_a_removed_adapter_serves_its_running_batch_and_no_new_one() -> None:
    table = AdapterTable(SHAPE, slots=2, rank_max=1)
    table.put("a", MARKED[0])
    slot = table.acquire("a")
    table.remove("a")
    with pytest.raises(AdapterNotLoaded, match="no slot holds the adapter a"):
        table.acquire("a")
    table.put("b", MARKED[1])
    assert mark_in(table, slot) == {1.0}
    assert table.used == 2
    table.release(slot)
    assert table.used == 1


def test_the_same_content_put_again_while_it_leaves_keeps_its_slot() -> None:
    table = AdapterTable(SHAPE, slots=1, rank_max=1)
    slot = table.put("a", MARKED[0])
    table.acquire("a")
    table.remove("a")
    assert table.put("a", MARKED[0]) == slot
    table.release(slot)
    assert table.slot_of("a") == slot


def test_a_smaller_rank_leaves_nothing_of_the_larger_one_before_it() -> None:
    table = AdapterTable(SHAPE, slots=1, rank_max=4)
    table.put("a", make_adapter(SHAPE, seed=1, rank=4))
    table.put("b", make_adapter(SHAPE, seed=2, rank=1))
    assert not table._tensors.down[0][:, 1, :, 1:].any()
    assert not table._tensors.up[0][:, 1, ..., 1:].any()


def test_releasing_more_often_than_acquiring_is_refused() -> None:
    table = AdapterTable(SHAPE, slots=1, rank_max=1)
    table.put("a", MARKED[0])
    for slot in (0, 1, 7):
        with pytest.raises(ValueError, match=f"slot {slot} is released more often than acquired"):
            table.release(slot)


def test_a_load_that_fails_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    table = AdapterTable(SHAPE, slots=1, rank_max=1)

    def fail(slot: int, weights: AdapterWeights) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(table._tensors, "write", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            table.put("a", MARKED[0])
    assert (table.used, table.slot_of("a")) == (0, None)
    assert table.put("a", MARKED[0]) == 1


def test_two_threads_that_put_the_same_adapter_load_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table = AdapterTable(SHAPE, slots=2, rank_max=1)
    write, began, proceed, writes = table._tensors.write, threading.Event(), threading.Event(), []

    def slow(slot: int, weights: AdapterWeights) -> None:
        writes.append(slot)
        began.set()
        assert proceed.wait(10)
        write(slot, weights)

    monkeypatch.setattr(table._tensors, "write", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(table.put, "a", MARKED[0])
        assert began.wait(10)
        second = pool.submit(table.put, "a", MARKED[0])
        assert table.slot_of("a") is None
        proceed.set()
        assert first.result(10) == second.result(10)
    assert len(writes) == 1


def test_slots_never_cross_while_threads_load_serve_and_remove() -> None:
    table = AdapterTable(SHAPE, slots=SLOTS, rank_max=1)
    rounds = 300

    def load(seed: int) -> None:
        for step in range(rounds):
            owner = (seed + step) % 6
            try:
                table.put(digest(owner), MARKED[owner])
            except AdapterTableFull:
                continue
            if step % 7 == 0:
                table.remove(digest((owner + 3) % 6))

    def serve(seed: int) -> int:
        served = 0
        for step in range(rounds):
            owner = (seed * 5 + step) % 6
            try:
                with table.using(digest(owner)) as slot:
                    for _ in range(3):
                        assert mark_in(table, slot) == {float(owner + 1)}
                    served += 1
            except AdapterNotLoaded:
                continue
        return served

    with ThreadPoolExecutor(6) as pool:
        loads = [pool.submit(load, seed) for seed in range(3)]
        serves = [pool.submit(serve, seed) for seed in range(3)]
        for future in loads:
            future.result(60)
        assert sum(future.result(60) for future in serves) > 0
    assert all(held.users == 0 for held in table._held.values())


@pytest.mark.parametrize("sizes", [{"slots": 0}, {"slots": 1, "rank_max": 0}])
def test_a_table_without_room_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must both be at least 1"):
        AdapterTable(SHAPE, **sizes)
