"""Whether two artifacts say the same of a text. Pure."""

from __future__ import annotations

import math
from typing import Final

from phalanx_server.answers import Answer, Reply
from phalanx_server.models import Model

AGREEING_COSINE: Final = 0.95
"""Two embeddings of a text agree from this cosine on: below it, neighbours in an index that was built with the one are
found badly with the other."""


def comparable(one: Model, other: Model) -> bool:
    """Whether clients could take the answers of either: both classify, or both embed, in vectors of one length."""
    return bool(one.labels) == bool(other.labels) and one.grid.geometry.hidden == other.grid.geometry.hidden


def agreeing(one: Reply, other: Reply) -> int:
    """Texts on which two replies to one query agree: the same label, or else embeddings that are close."""
    return sum(
        _agree(one.labels, mine, other.labels, its) for mine, its in zip(one.answers, other.answers, strict=True)
    )


def _agree(labels: tuple[str, ...], answer: Answer, other_labels: tuple[str, ...], other: Answer) -> bool:
    if answer.probabilities and other.probabilities:
        return _best(labels, answer) == _best(other_labels, other)
    return cosine(answer.embedding, other.embedding) >= AGREEING_COSINE


def _best(labels: tuple[str, ...], answer: Answer) -> str:
    return labels[max(range(len(labels)), key=answer.probabilities.__getitem__)]


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Of two vectors; 0 where one has no direction, or their lengths differ."""
    if len(one) != len(other):
        return 0.0
    size = math.sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / size if size > 0 else 0.0
