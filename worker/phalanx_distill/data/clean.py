"""Repeats and contradictions out: the first would leak from training into test, the second cannot be learnt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from phalanx_distill.data.rows import Row, one_line


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left, in the order of first sight, and how many rows went for which reason."""

    rows: tuple[Row, ...]
    repeats: int
    contradictions: int


def clean(rows: Iterable[Row]) -> Cleaned:
    """Keep the first of equal rows; drop every text that carries two labels. White space does not count."""
    labels: dict[str, set[str]] = {}
    total = 0
    for row in rows:
        total += 1
        labels.setdefault(one_line(row.text), set()).add(row.label)
    kept = tuple(Row(text=text, label=next(iter(found))) for text, found in labels.items() if len(found) == 1)
    contradictions = len(labels) - len(kept)
    return Cleaned(rows=kept, repeats=total - len(labels), contradictions=contradictions)
