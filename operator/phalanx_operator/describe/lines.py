"""Lines of text with a tone, and columns of them. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Tone(enum.StrEnum):
    """How a line is meant; where there is a terminal it has a colour for each."""

    PLAIN = "plain"
    HEADING = "heading"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of a table. The last one may be of any length."""

    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN


def columns(header: Sequence[str], rows: Iterable[Row]) -> list[Line]:
    """A table as kubectl prints one: columns as wide as they need, three spaces between, no blanks at the ends."""
    table = [Row(tuple(header), Tone.HEADING), *rows]
    widths = [max(len(row.cells[index]) for row in table) for index in range(len(header))]
    return [
        Line("   ".join(cell.ljust(width) for cell, width in zip(row.cells, widths, strict=True)).rstrip(), row.tone)
        for row in table
    ]
