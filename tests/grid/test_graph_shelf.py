"""The shelf of captured passes: bounded in number and memory, the least recently used leaves."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from phalanx_grid.execution.cuda.shelf import Shelf


@dataclass(frozen=True)
class Block:
    own_bytes: int
    number: int = 0


actions = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=40)


@given(actions, st.integers(1, 5), st.integers(1, 100))
def test_bounds_hold_after_everything_that_is_put(puts: list[tuple[int, int]], count: int, limit: int) -> None:
    shelf: Shelf[int, Block] = Shelf(count=count, own_bytes=limit, asks=1)
    for key, size in puts:
        shelf.put(key, Block(size))
        assert key in shelf
        assert len(shelf) <= count
        assert shelf.own_bytes <= limit or len(shelf) == 1


@given(actions, st.integers(1, 5))
def test_what_is_dropped_is_handed_back_exactly_once(puts: list[tuple[int, int]], count: int) -> None:
    shelf: Shelf[int, Block] = Shelf(count=count, own_bytes=10_000, asks=1)
    dropped: list[Block] = []
    for number, (key, size) in enumerate(puts):
        dropped += shelf.put(key, Block(size, number))
    numbers = [block.number for block in dropped]
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) + len(shelf) == len(puts)


def test_the_least_recently_used_leaves_first() -> None:
    shelf: Shelf[str, Block] = Shelf(count=2, own_bytes=100, asks=1)
    shelf.put("a", Block(1))
    shelf.put("b", Block(1))
    assert shelf.get("a") is not None
    shelf.put("c", Block(1))
    assert "a" in shelf
    assert "b" not in shelf


def test_a_key_is_wanted_once_it_was_missed_often_enough() -> None:
    shelf: Shelf[str, Block] = Shelf(count=2, own_bytes=100, asks=3)
    for _ in range(2):
        assert shelf.get("a") is None
        assert not shelf.wanted("a")
    assert shelf.get("a") is None
    assert shelf.wanted("a")
    shelf.put("a", Block(1))
    shelf.put("b", Block(1))
    shelf.put("c", Block(1))
    shelf.get("a")
    assert not shelf.wanted("a")
