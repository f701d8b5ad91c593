"""From rows as they were read to the parts that training and measuring use."""

from __future__ import annotations

import msgspec

from phalanx_contract.limits import MAX_CLASSES, MAX_LABEL
from phalanx_distill.config import SplitSettings
from phalanx_distill.data import Dataset, Split, clean, content_hash, split
from phalanx_distill.errors import DataError
from phalanx_distill.report.words import shortened


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows; `sha256` is over the rows that were kept, in order."""

    name: str
    sha256: str
    read: int
    repeats: int
    contradictions: int
    train: int
    validation: int
    test: int
    transfer: int = 0


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """The parts and the facts about them."""

    parts: Split
    facts: DataFacts


def prepare(dataset: Dataset, settings: SplitSettings) -> Prepared:
    """Clean and split.

    Raises:
        DataError: the rows cannot be split, or have more classes or longer names of them than are served.
    """
    cleaned = clean(dataset.rows)
    parts = split(cleaned.rows, test_share=settings.test_share, validation_share=settings.validation_share)
    if len(parts.labels) > MAX_CLASSES:
        raise DataError(
            f"{dataset.name}: {len(parts.labels)} labels, at most {MAX_CLASSES} are served; "
            "merge rare ones, or is the label column the right one?"
        )
    longest = max(parts.labels, key=len)
    if len(longest) > MAX_LABEL:
        raise DataError(
            f"{dataset.name}: the label {shortened(longest)!r} has {len(longest)} characters, at most {MAX_LABEL} are "
            "served; shorten it, or is the label column the right one?"
        )
    facts = DataFacts(
        name=dataset.name,
        sha256=content_hash(cleaned.rows),
        read=len(dataset.rows),
        repeats=cleaned.repeats,
        contradictions=cleaned.contradictions,
        train=len(parts.train),
        validation=len(parts.validation),
        test=len(parts.test),
    )
    return Prepared(parts=parts, facts=facts)
