"""What a page is made of, as plain values: sections say what there is to say, the template how it looks.

Every string in here is text, never markup: the template escapes it. The one exception is a figure's SVG, which is drawn
by our own code and holds no text from data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


class Tone(Enum):
    """How a line or a cell is set apart; the value is its CSS class."""

    PLAIN = ""
    GOOD = "good"
    UNSURE = "unsure"
    BAD = "bad"
    STRONG = "strong"
    QUIET = "quiet"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell; `bar` in [0, 1] draws a bar behind the text."""

    text: str
    bar: float | None = None
    tone: Tone = Tone.PLAIN

    @property
    def width(self) -> str:
        """The bar's CSS width."""
        return f"{100 * min(max(self.bar or 0.0, 0.0), 1.0):.1f}%"


@dataclass(frozen=True, slots=True)
class Row:
    """A table's line; the first cell names it."""

    cells: tuple[Cell, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, column names, and lines. Columns named in `words` stand left, all others right (numbers)."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    words: frozenset[int] = frozenset({0})
    note: str = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """An SVG drawing with what a reader hears in its place, and a caption."""

    svg: str
    alt: str
    caption: str
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True, slots=True)
class Prose:
    """One paragraph."""

    text: str
    tone: Tone = Tone.PLAIN
    kind: str = field(default="prose", init=False)


@dataclass(frozen=True, slots=True)
class Code:
    """Something to copy."""

    caption: str
    text: str
    kind: str = field(default="code", init=False)


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks behind a summary that opens on request (and in print)."""

    summary: str
    blocks: tuple[Table | Prose, ...]
    kind: str = field(default="folded", init=False)


Block = Table | Figure | Prose | Code | Folded


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; `name` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline figure."""

    label: str
    value: str
    note: str = ""
    tone: Tone = Tone.PLAIN


def row(*cells: str | Cell, tone: Tone = Tone.PLAIN) -> Row:
    """A line of cells, texts among them."""
    return Row(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in cells), tone)


def facts(caption: str, pairs: Sequence[tuple[str, str]], *, tone: Tone = Tone.PLAIN) -> Table:
    """A table of names and values."""
    rows = tuple(row(name, Cell(value, tone=tone)) for name, value in pairs)
    return Table(caption, ("", ""), rows, words=frozenset({0, 1}))
