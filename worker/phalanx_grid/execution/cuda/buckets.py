"""Which shapes get a graph: pure arithmetic.

A graph is captured for one shape, so that a batch is padded to the next shape that has one. Shapes lie so densely that
little is wasted, and end where a pass is so large that arithmetic hides its launches.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TEXTS: Final = (1, 2, 4, 8, 16, 32, 64)
LENGTHS: Final = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Multiples of 16: masks of other lengths are copied into aligned memory before each fused attention."""

STUDENT_TOKENS: Final = 8192
"""Students times texts times length of the largest shape. Beyond it a row of BERT-base takes a device of today longer
than its twelve launches take the host. It also bounds the memory that graphs share."""

WARM_TEXTS: Final = 8
WARM_LENGTH: Final = 128
"""What is captured before the first request: a server without a burst has few, short texts in a batch."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Students by texts by tokens. `full` says that it takes batches that fill it exactly, which need no mask."""

    students: int
    texts: int
    length: int
    full: bool = False

    @property
    def student_tokens(self) -> int:
        """Rows of each matrix, all students together."""
        return self.students * self.texts * self.length


@dataclass(frozen=True, slots=True)
class Buckets:
    """The shapes of a grid with so many students that takes at most `max_tokens` in a text."""

    students: int
    max_tokens: int
    student_tokens: int = STUDENT_TOKENS

    @property
    def lengths(self) -> tuple[int, ...]:
        """In ascending order; the last takes the longest text, as far as there are graphs for it."""
        below = tuple(length for length in LENGTHS if length < self.max_tokens)
        return below if self.max_tokens > LENGTHS[-1] else (*below, self.max_tokens)

    def of(self, *, students: int, texts: int, length: int, full: bool) -> Bucket | None:
        """The smallest bucket that takes a batch; None if there is none, and the batch runs without a graph."""
        wide, long = _at_least(TEXTS, texts), _at_least(self.lengths, length)
        if wide is None or long is None:
            return None
        bucket = Bucket(students, wide, long, full and (wide, long) == (texts, length))
        return bucket if bucket.student_tokens <= self.student_tokens else None

    def to_warm(self, counts: Iterable[int] | None = None) -> list[Bucket]:
        """What to capture before the first request, the most useful first: small before large, many students first.

        `counts` limits the numbers of students. All with a mask: these take full batches too.
        """
        chosen = sorted(range(1, self.students + 1) if counts is None else counts, reverse=True)
        shapes = [(n, s) for n in TEXTS if n <= WARM_TEXTS for s in self.lengths if s <= WARM_LENGTH]
        shapes.sort(key=lambda shape: (shape[0] * shape[1], shape[0]))
        found = [Bucket(k, n, s) for n, s in shapes for k in chosen]
        return [bucket for bucket in found if bucket.student_tokens <= self.student_tokens]


def _at_least(grid: tuple[int, ...], wanted: int) -> int | None:
    place = bisect_left(grid, wanted)
    return grid[place] if place < len(grid) else None
