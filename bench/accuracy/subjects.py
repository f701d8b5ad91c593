"""What is measured: encoder, task and seed, in the order in which it is worth most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

TASKS: Final[Mapping[str, tuple[str, ...]]] = {
    "minilm": ("movie", "trec50", "tweet-sentiment", "trec6", "amazon"),
    "mpnet": ("movie", "trec50"),
}
"""Tasks of each encoder, the hard ones first."""
SEEDS: Final = (0, 1, 2)
_SAME_ROWS: Final = {"trec50": "trec6"}
"""Two labellings of the same questions."""


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One run."""

    encoder: str
    task: str
    seed: int

    @property
    def key(self) -> str:
        """Its name in the figures."""
        return f"{self.encoder}:{self.task}:s{self.seed}"

    @property
    def folder(self) -> str:
        """Its name on disk."""
        return f"{self.encoder}-{self.task}-{self.seed}"


def rows_of(task: str) -> str:
    """A name for a task's rows: the same for tasks that share them."""
    return _SAME_ROWS.get(task, task)


def subjects(
    *, encoders: Sequence[str] = tuple(TASKS), tasks: Sequence[str] = (), seeds: Sequence[int] = SEEDS
) -> list[Subject]:
    """Seed by seed, so that every task has a first figure before any has its second; no task chosen means all."""
    return list(_ordered(encoders, tasks, seeds))


def _ordered(encoders: Sequence[str], tasks: Sequence[str], seeds: Sequence[int]) -> Iterator[Subject]:
    for seed in seeds:
        for encoder in encoders:
            for task in TASKS.get(encoder, tuple(tasks)):
                if not tasks or task in tasks:
                    yield Subject(encoder, task, seed)
