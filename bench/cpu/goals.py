"""What the figures are held against."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

BURST: Final = 8.0
"""Times the throughput of an encoder of `ROWS` rows in plain transformers, of one student of its ensemble."""
ROWS: Final = 12
LATENCY: Final = 1.0
"""Time of all students over the teacher's in this engine, at most."""

Figures = Mapping[str, Mapping[str, Any]]
_ENSEMBLE: Final = re.compile(r"(?P<shape>(?P<students>\d+)x\d+)_k(?P<k>\d+)_(?P<form>\w+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A figure against its goal; `accuracy` is the figure of the students that it is about, None if not yet taken.

    `reached` is about time. `accurate` is False where students are surely less accurate than the goal asks.
    """

    cell: str
    who: str
    what: str
    figure: Mapping[str, Any]
    accuracy: Mapping[str, Any] | None
    reached: bool
    accurate: bool

    @property
    def verdict(self) -> str:
        """In words: speed alone reaches no goal."""
        if not self.reached:
            return "missed"
        return "reached" if self.accuracy is not None and self.accurate else "in time alone"


def goals(figures: Figures) -> Iterator[Goal]:
    """Every ensemble's full latency, and its burst cut where the encoder is as deep as the goal says, cell by cell.

    All students are to be as accurate as their teacher; the burst cut's accuracy is what it is, but has to be known.
    """
    for key, figure in figures.items():
        cell, who, what = split(key)
        match = _ENSEMBLE.fullmatch(who)
        if match is None:
            continue
        measured = f"{cell.rpartition(':')[0]}:accuracy"
        accuracy = figures.get(f"{measured}:{match['shape']}_k{match['k']}")
        teacher, accurate = figures.get(f"{measured}:teacher"), True
        if what == "gain:buckets" and match["k"] == "1" and figures[f"{cell}:rows"]["value"] == ROWS:
            said = f"throughput over transformers, padded: at least {BURST:g}"
            reached = figure["value"] >= BURST
        elif what == "latency:ratio" and match["k"] == match["students"]:
            said = f"latency over the teacher's: at most {LATENCY:g}"
            reached = figure["value"] <= LATENCY
            accurate = accuracy is not None and teacher is not None and accuracy["high"] >= teacher["value"]
        else:
            continue
        yield Goal(cell=cell, who=who, what=said, figure=figure, accuracy=accuracy, reached=reached, accurate=accurate)


def split(key: str) -> tuple[str, str, str]:
    """Cell, contender, and kind with what follows the contender; blanks where a figure has none of them."""
    parts = key.split(":")
    if len(parts) < 5:
        return ":".join(parts[:3]), "", ":".join(parts[3:])
    kind, who, *more = parts[3:]
    return ":".join(parts[:3]), who, ":".join([kind, *more])


def accuracy_in_words(figure: Mapping[str, Any] | None) -> str:
    """A share with its interval."""
    if figure is None:
        return "not yet taken"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def spoken(cell: str) -> str:
    """A cell in words."""
    encoder, task, _ = cell.split(":")
    return f"{encoder}, {task}, {threads(cell)}"


def threads(cell: str) -> str:
    """A cell's threads in words."""
    count = int(cell.rpartition(":t")[2])
    return f"{count} thread{'s' if count > 1 else ''}"
