"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Encoder:
    """A geometry, and the (texts, tokens) that it runs."""

    name: str
    hidden: int
    heads: int
    teacher_rows: int
    shapes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """Rounds go on until `seconds` are spent on a cell (a shape with threads and students), within bounds."""

    encoders: tuple[Encoder, ...]
    threads: tuple[int, ...]
    students: tuple[int, ...]
    seconds: float
    least_rounds: int
    most_rounds: int


FULL: Final = Scale(
    encoders=(
        Encoder("minilm", 384, 12, 6, ((1, 16), (1, 64), (32, 16), (32, 64))),
        Encoder("mpnet", 768, 12, 12, ((1, 16), (1, 64))),
    ),
    threads=(1, 2),
    students=(1, 4),
    seconds=3.0,
    least_rounds=5,
    most_rounds=40,
)
TINY: Final = Scale(
    encoders=(Encoder("tiny", 32, 2, 3, ((1, 8), (4, 8))),),
    threads=(1, 2),
    students=(1, 2),
    seconds=0.2,
    least_rounds=2,
    most_rounds=3,
)
"""To see that it works."""
