"""What is measured, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SEED: Final = 0
PAPER: Final = (4, 2)
"""Students and rows that are measured for every encoder, so that figures compare over time."""
PADDED_TEXTS: Final = 32
"""Texts in a batch of those who do not batch by length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """An encoder, a task whose held-out texts it reads, and threads; how many seconds each part goes on."""

    encoder: str
    task: str
    threads: int
    latency_s: float
    throughput_s: float

    def __str__(self) -> str:
        return f"{self.encoder}:{self.task}:t{self.threads}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Cells, and bounds on their rounds: a latency round is a text, a throughput round a chunk of texts."""

    cells: tuple[Cell, ...]
    chunk_texts: int
    least_texts: int
    least_chunks: int
    made_up: bool = False
    """Random encoders and texts in place of the packaged ones."""


def _cell(encoder: str, task: str, threads: int, latency_s: float, throughput_s: float) -> Cell:
    return Cell(encoder=encoder, task=task, threads=threads, latency_s=latency_s, throughput_s=throughput_s)


FULL: Final = Scale(
    cells=(
        _cell("mpnet", "movie", 1, 38, 75),
        _cell("mpnet", "movie", 2, 25, 45),
        _cell("mpnet", "trec50", 1, 22, 40),
        _cell("minilm", "movie", 1, 14, 20),
        _cell("minilm", "movie", 2, 12, 15),
        _cell("minilm", "trec50", 1, 12, 12),
    ),
    chunk_texts=64, least_texts=370, least_chunks=2,
)  # fmt: skip
"""As many texts one at a time as a bound above their 99th percentile needs (`latency.enough`), whatever the seconds."""
QUICK: Final = Scale(
    cells=(_cell("tiny-bert", "words", 1, 0.5, 0.5), _cell("tiny-mpnet", "words", 1, 0.5, 0.5)),
    chunk_texts=40, least_texts=5, least_chunks=2, made_up=True,
)  # fmt: skip
"""To see that it works; its figures mean nothing."""

SCALES: Final[Mapping[str, Scale]] = {"full": FULL, "quick": QUICK}
