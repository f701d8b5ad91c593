"""The held-out rows: those that `phalanx distill` put aside, found again by the same hash of the text."""

from __future__ import annotations

from demo.load import Row
from phalanx_distill.config import SplitSettings
from phalanx_distill.prepare import prepare
from phalanx_distill.sources import find_rows


def held_out(data: str) -> list[Row]:
    """The test rows of a data set, which no training step has seen."""
    prepared = prepare(find_rows(data), SplitSettings())
    return [Row(text=row.text, label=row.label) for row in prepared.parts.test]
