"""Transfer text: texts near the training rows, for the teacher to speak about. Pure.

The same seed and rows give the same texts in every process, so that a run which goes on after an interrupt sees what it
saw before. Nothing here needs a label: the teacher's logits are the target.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

Neighbour = Callable[[random.Random, list[str], list[str], float], list[str]]
"""(randomness, words, another text's words, share of words to drop) -> the words of a new text."""


def drop_words(rng: random.Random, words: list[str], share: float) -> list[str]:
    """Leave each word out with the probability `share`; at least one word stays."""
    kept = [word for word in words if rng.random() >= share]
    return kept or [rng.choice(words)]


def _dropped(rng: random.Random, words: list[str], _: list[str], share: float) -> list[str]:
    return drop_words(rng, words, share)


def _span(rng: random.Random, words: list[str], _: list[str], share: float) -> list[str]:
    """A run of at least half of the words."""
    length = rng.randint((len(words) + 1) // 2, len(words))
    start = rng.randint(0, len(words) - length)
    return words[start : start + length]


def _splice(rng: random.Random, words: list[str], other: list[str], share: float) -> list[str]:
    """The beginning of one text and the end of another."""
    return words[: rng.randint(1, len(words))] + other[rng.randint(0, len(other) - 1) :]


def _swap(rng: random.Random, words: list[str], other: list[str], share: float) -> list[str]:
    """The text with words replaced by words of another text: its pattern stays, what it is about changes."""
    return [rng.choice(other) if rng.random() < 2 * share else word for word in words]


NEIGHBOURS: Final[tuple[Neighbour, ...]] = (_dropped, _splice, _swap, _span)
"""Taken in turn: the first neighbour of a text drops words, the second splices, the third swaps, and so on."""


def neighbours(texts: Sequence[str], *, each: int, word_drop: float, seed: int) -> list[str]:
    """`each` new texts for every text, in order; those equal to a given or an earlier text are left out."""
    split = [text.split() for text in texts]
    seen = set(texts)
    made = []
    for text, words in zip(texts, split, strict=True):
        for turn in range(each):
            rng = random.Random(f"{seed}/{turn}/{text}")  # noqa: S311 - repeatable, not secret
            other = split[rng.randrange(len(split))]
            new = " ".join(NEIGHBOURS[turn % len(NEIGHBOURS)](rng, words, other, word_drop))
            if new not in seen:
                seen.add(new)
                made.append(new)
    return made


def thinned(texts: Sequence[str], *, share: float, seed: int, epoch: int) -> list[str]:
    """Every text with words dropped, anew in each epoch; the same epoch gives the same texts."""
    if share == 0:
        return list(texts)
    return [
        " ".join(drop_words(random.Random(f"{seed}/{epoch}/{text}"), text.split(), share))  # noqa: S311
        for text in texts
    ]
