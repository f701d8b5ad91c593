"""Whether two artifacts say the same of a text. Pure."""

from __future__ import annotations

import math
from typing import Final

from phalanx_server.answers import Answer, Query, Reply
from phalanx_server.models import Model

AGREEING_COSINE: Final = 0.95
"""Two embeddings of a text agree from this cosine on: below it, neighbours in an index that was built with the one are
found badly with the other."""


def comparable(one: Model, other: Model) -> bool:
    """Whether clients could take the answers of either: both classify, or both embed, in vectors of one length."""
    return bool(one.labels) == bool(other.labels) and one.grid.geometry.hidden == other.grid.geometry.hidden


def agreeing(query: Query, one: Reply, other: Reply) -> int:
    """Texts on which two replies to a query agree in all that it asked for: same labels, embeddings that are close."""
    return sum(
        (not query.scores or _best(one.labels, mine) == _best(other.labels, its))
        and (not query.embedding or cosine(mine.embedding, its.embedding) >= AGREEING_COSINE)
        for mine, its in zip(one.answers, other.answers, strict=True)
    )


def _best(labels: tuple[str, ...], answer: Answer) -> str:
    """The label; empty where there are none to choose from."""
    if not labels:
        return ""
    return labels[max(range(len(labels)), key=answer.probabilities.__getitem__)]


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Of two vectors; 0 where one has no direction, or their lengths differ."""
    if len(one) != len(other):
        return 0.0
    size = math.sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / size if size > 0 else 0.0
