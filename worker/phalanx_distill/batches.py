"""Which rows go into a batch together, and in which order. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

POOL_BATCHES: Final = 32
"""Batches that are sorted by length together: large pools pad less, small ones shuffle better."""


def epoch_batches(lengths: Sequence[int], *, batch_rows: int, seed: int, epoch: int) -> list[list[int]]:
    """Every index once, in batches of similar length and random order.

    Rows are shuffled, cut into pools, sorted by length within each pool and cut into batches, which are shuffled
    again. The same (seed, epoch) gives the same batches.
    """
    rng = random.Random(f"batches/{seed}/{epoch}")  # noqa: S311 - repeatable, not secret
    order = list(range(len(lengths)))
    rng.shuffle(order)
    pool = batch_rows * POOL_BATCHES
    batches = []
    for start in range(0, len(order), pool):
        part = sorted(order[start : start + pool], key=lengths.__getitem__)
        batches += chunks(part, batch_rows)
    rng.shuffle(batches)
    return batches


def drawn_students(rows: Sequence[int], *, students: int, seed: int, epoch: int) -> int:
    """The number of students for a batch, uniform in 1..students; the same batch of the same epoch gives the same."""
    return random.Random(f"students/{seed}/{epoch}/{rows[0]}").randint(1, students)  # noqa: S311 - repeatable


def by_length(lengths: Sequence[int], *, batch_rows: int) -> list[list[int]]:
    """Every index once, shortest first: the order for measuring, where order does not matter."""
    return chunks(sorted(range(len(lengths)), key=lengths.__getitem__), batch_rows)


def chunks(items: Sequence[int], size: int) -> list[list[int]]:
    """Consecutive pieces of `size`; the last may be shorter."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
