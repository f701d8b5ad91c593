"""The held-out rows: those that `phalanx distill` put aside, found again by the same hash of the text."""

from __future__ import annotations

from phalanx_distill.config import SplitSettings
from phalanx_distill.prepare import prepare
from phalanx_distill.sources import find_rows
from phalanx_load import Sample


def held_out(data: str) -> list[Sample]:
    """The test rows of a data set, which no training step has seen."""
    prepared = prepare(find_rows(data), SplitSettings())
    return [Sample(row.text, row.label) for row in prepared.parts.test]
