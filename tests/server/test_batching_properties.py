"""The promises of the pure queue, for any load."""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phalanx_server.batching.capacity import Capacity, Cost, fit
from phalanx_server.batching.item import Item
from phalanx_server.batching.room import BatchLimits, WaitingRoom, length_bucket

lengths = st.integers(1, 512)
limits = st.builds(
    BatchLimits, tokens=st.integers(1, 4096), texts=st.integers(1, 64), padding=st.floats(0, 1, allow_nan=False)
)
costs = st.builds(Cost, fixed_s=st.floats(1e-6, 0.1), tokens_per_s=st.floats(10, 1e6))
capacities = st.builds(Capacity, st.lists(costs, min_size=1, max_size=8).map(tuple), st.integers(64, 4096))


def item(number: int, tokens: int, *, deadline_s: float = 1e9) -> Item:
    return Item(id=number, ensemble="e", tokens=tokens, arrival_s=float(number), deadline_s=deadline_s)


def room_of(tokens: list[int]) -> WaitingRoom:
    room = WaitingRoom()
    for number, count in enumerate(tokens):
        room.add(item(number, count))
    return room


@given(st.lists(lengths, min_size=1, max_size=200), limits)
def test_the_oldest_text_is_always_in_the_next_batch(tokens: list[int], bound: BatchLimits) -> None:
    room = room_of(tokens)
    while len(room):
        oldest = room.oldest
        assert oldest in room.take(bound)


@given(st.lists(lengths, max_size=200), limits)
def test_every_text_runs_exactly_once(tokens: list[int], bound: BatchLimits) -> None:
    room = room_of(tokens)
    ran: Counter[int] = Counter()
    while batch := room.take(bound):
        ran.update(entry.id for entry in batch)
    assert ran == Counter(range(len(tokens)))
    assert room.tokens == 0


@given(st.lists(lengths, min_size=1, max_size=200), limits)
def test_a_batch_stays_within_its_limits_unless_it_is_the_oldest_alone(tokens: list[int], bound: BatchLimits) -> None:
    batch = room_of(tokens).take(bound)
    padded = max(entry.tokens for entry in batch) * len(batch)
    padding = padded - sum(entry.tokens for entry in batch)
    assert len(batch) <= bound.texts
    assert len(batch) == 1 or padded <= bound.tokens
    assert padding <= bound.padding * padded + 1e-9


@given(st.lists(lengths, max_size=100), st.integers(1, 64))
def test_texts_of_one_length_fill_the_batch(tokens: list[int], texts: int) -> None:
    batch = room_of([7] * len(tokens)).take(BatchLimits(tokens=7 * texts, texts=64, padding=0.0))
    assert len(batch) == min(len(tokens), texts)


@given(st.integers(1, 10**6))
def test_buckets_grow_with_length_and_pad_by_a_third_at_most(tokens: int) -> None:
    assert length_bucket(tokens + 1) >= length_bucket(tokens)
    if length_bucket(3 * tokens // 2 + 1) == length_bucket(tokens):
        pytest.fail("a bucket spans more than half an octave")


@given(st.lists(st.floats(0, 10), max_size=50), st.floats(0, 10))
def test_expiry_drops_exactly_what_is_late(deadlines: list[float], now_s: float) -> None:
    room = WaitingRoom()
    for number, deadline_s in enumerate(sorted(deadlines)):
        room.add(item(number, 3, deadline_s=deadline_s))
    late = room.expire(now_s)
    assert [entry.deadline_s for entry in late] == [d for d in sorted(deadlines) if d <= now_s]
    assert len(room) + len(late) == len(deadlines)


DEADLINE_S = 1000.0


class RoomMachine(RuleBasedStateMachine):
    """Arrivals, cancellations, deadlines and batches in any order: nothing is lost, comes twice, or starves.

    `bounds` is the batch by which each text is out: one for each that waited when it came, and its own, whatever
    comes after it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.room, self.waiting, self.next_id = WaitingRoom(), {}, 0
        self.takes, self.bounds = 0, {}

    @rule(tokens=lengths)
    def arrive(self, tokens: int) -> None:
        self.bounds[self.next_id] = self.takes + len(self.waiting) + 1
        self.waiting[self.next_id] = item(self.next_id, tokens, deadline_s=DEADLINE_S + self.next_id)
        self.room.add(self.waiting[self.next_id])
        self.next_id += 1

    @rule(choice=st.integers(0, 60))
    def cancel(self, choice: int) -> None:
        assert self.room.cancel(choice) == (self.waiting.pop(choice, None) is not None)
        self.bounds.pop(choice, None)

    @rule(patience=st.integers(0, 30))
    def expire(self, patience: int) -> None:
        """Deadlines are in the order of arrival, as one timeout for all makes them."""
        late = self.room.expire(DEADLINE_S + self.next_id - patience)
        assert [entry.id for entry in late] == [number for number in self.waiting if number <= self.next_id - patience]
        for entry in late:
            del self.waiting[entry.id], self.bounds[entry.id]

    @rule(bound=limits)
    def run(self, bound: BatchLimits) -> None:
        oldest = next(iter(self.waiting.values()), None)
        batch = self.room.take(bound)
        self.takes += 1
        assert batch[:1] == (() if oldest is None else (oldest,))
        padded = len(batch) * max((entry.tokens for entry in batch), default=0)
        assert len(batch) <= 1 or padded <= bound.tokens
        assert padded - sum(entry.tokens for entry in batch) <= bound.padding * padded + 1e-9
        assert len(batch) <= bound.texts
        for entry in batch:
            assert self.waiting.pop(entry.id) is entry
            del self.bounds[entry.id]

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.room) == len(self.waiting)
        assert self.room.tokens == sum(entry.tokens for entry in self.waiting.values())

    @invariant()
    def nothing_starves(self) -> None:
        assert all(self.takes < bound for bound in self.bounds.values())


TestRoom = RoomMachine.TestCase


class Watched:
    """An item that counts how often its length is looked at."""

    looks = 0

    def __init__(self, number: int, tokens: int) -> None:
        self.id, self.deadline_s, self._tokens = number, 1.0, tokens

    @property
    def tokens(self) -> int:
        Watched.looks += 1
        return self._tokens


@given(st.integers(1, 64), st.floats(0, 1), st.lists(lengths, min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_take_looks_at_no_more_texts_in_a_longer_queue(texts: int, padding: float, cycle: list[int]) -> None:
    room = WaitingRoom()
    for number in range(2000):
        room.add(cast(Item, Watched(number, cycle[number % len(cycle)])))
    Watched.looks = 0
    room.take(BatchLimits(tokens=10**6, texts=texts, padding=padding))
    assert Watched.looks <= 16 * texts


def test_the_same_text_cannot_wait_twice() -> None:
    room = room_of([3])
    with pytest.raises(ValueError, match="already waiting"):
        room.add(item(0, 3))


@given(capacities, st.integers(1, 8), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_longer_queue_takes_longer_to_drain(capacity: Capacity, students: int, tokens: int, more: int) -> None:
    shorter_s = capacity.drain_s(students=students, tokens=tokens)
    assert capacity.drain_s(students=students, tokens=tokens + more) >= shorter_s


@given(capacities, st.integers(1, 8), st.integers(1, 8192), st.floats(0.0001, 10))
def test_observed_batches_pull_the_prediction_towards_what_they_took(
    capacity: Capacity, students: int, tokens: int, seconds: float
) -> None:
    index = min(students, len(capacity.costs)) - 1
    before_s = capacity.costs[index].seconds(tokens)
    after_s = capacity.observe(students=students, tokens=tokens, seconds=seconds).costs[index].seconds(tokens)
    assert min(before_s, seconds) * 0.999 <= after_s <= max(before_s, seconds) * 1.001


@given(st.integers(1, 4), st.floats(1.3, 2), st.integers(64, 4096))
def test_a_device_that_slows_is_known_within_a_few_batches_for_any_number_of_students(
    students: int, slower: float, tokens: int
) -> None:
    true = Capacity(tuple(Cost(fixed_s=0.002, tokens_per_s=8000 / k) for k in range(1, 5)))
    seen = true
    for _ in range(8):
        seconds = true.seconds(students=students, tokens=tokens) * slower
        seen = seen.observe(students=students, tokens=tokens, seconds=seconds)
    for count in range(1, 5):
        assert seen.tokens_per_s(count) == pytest.approx(true.tokens_per_s(count) / slower, rel=0.35)
    assert seen.seconds(students=students, tokens=tokens) >= slower / 1.2 * true.seconds(
        students=students, tokens=tokens
    )


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_measurements_are_ignored(seconds: float) -> None:
    capacity = Capacity((Cost(fixed_s=0.001, tokens_per_s=1000.0),))
    assert capacity.observe(students=1, tokens=100, seconds=seconds) is capacity


@given(st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_any_two_measurements_give_a_usable_cost(fast_s: float, slow_s: float) -> None:
    cost = fit(small=(16, fast_s), large=(512, slow_s))
    assert cost.fixed_s > 0
    assert cost.tokens_per_s > 0


@given(capacities, st.integers(1, 8), st.floats(0, 10))
def test_a_batch_for_a_time_is_not_predicted_to_take_longer(capacity: Capacity, students: int, seconds: float) -> None:
    tokens = capacity.tokens_within(students=students, seconds=seconds)
    index = min(students, len(capacity.costs)) - 1
    assert tokens == 128 or capacity.costs[index].seconds(tokens) <= seconds * 1.001
