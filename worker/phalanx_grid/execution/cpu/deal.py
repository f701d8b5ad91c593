"""How a pass is dealt to CPU threads: pure arithmetic.

A unit is one student over one part of the batch. Units need nothing of each other, so a thread that has one to itself
waits for nobody until the end; threads that share an operator wait for each other at each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

PART_TOKENS: Final = 64
"""A part of a batch has at least so many tokens: with fewer, fetching weights outweighs computing with them."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Units `first..last-1` at the same time on `width` lanes, each lane of `threads` threads."""

    first: int
    last: int
    width: int
    threads: int

    def lane(self, number: int) -> range:
        """The units of one lane."""
        return range(self.first + number, self.last, self.width)


def parts(students: int, *, texts: int, tokens: int, threads: int) -> int:
    """Parts in which to cut a batch, so that students times parts fill the threads evenly."""
    even = threads // math.gcd(students, threads)
    return max(1, min(even, texts, tokens // PART_TOKENS))


def waves(units: int, threads: int) -> list[Wave]:
    """First as many units as go evenly into single threads, then the rest, on several threads each."""
    even = units - units % threads
    rest = units - even
    dealt = [Wave(0, even, threads, 1)] if even else []
    return [*dealt, Wave(even, units, rest, threads // rest)] if rest else dealt
