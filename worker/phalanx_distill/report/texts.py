"""The held-out texts on which teacher and ensemble differ, found again in the rows: a report never holds texts."""

from __future__ import annotations

from phalanx_distill.config import SplitSettings
from phalanx_distill.data import Dataset
from phalanx_distill.errors import DataError
from phalanx_distill.prepare import prepare
from phalanx_distill.report.document import Report


def differing_texts(report: Report, rows: Dataset, settings: SplitSettings) -> dict[int, str]:
    """Texts by their row in the test part.

    Raises:
        DataError: these are not the rows that the report is about.
    """
    prepared = prepare(rows, settings)
    if prepared.facts.sha256 != report.data.sha256:
        raise DataError(f"{rows.name}: the report is about other rows; give those that it was made from")
    detail = report.notes.detail
    chosen = () if detail is None else detail.differing
    test = prepared.parts.test
    return {entry.row: test[entry.row].text for entry in chosen if 0 <= entry.row < len(test)}
