"""Training, validation and test rows by a hash of the text.

A row's part depends on its text alone: it stays where it is when rows are added, dropped or re-ordered, and the same
text from two files lands in the same part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from phalanx_distill.data.rows import Row, label_names, one_line
from phalanx_distill.errors import DataError

_SPACE: Final = float(2**64)


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts. Labels are those of all parts together, sorted."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]
    labels: tuple[str, ...]


def position(text: str) -> float:
    """Where a text stands in [0, 1). Case and white space do not count, so near repeats stay together."""
    digest = hashlib.blake2b(one_line(text).casefold().encode(), digest_size=8, person=b"phalanx-split").digest()
    return int.from_bytes(digest, "big") / _SPACE


def split(rows: Iterable[Row], *, test_share: float, validation_share: float) -> Split:
    """Cut cleaned rows into three parts by `position`.

    Texts below `test_share` are test rows, those up to `test_share + validation_share` validation rows.

    Raises:
        DataError: fewer than two classes, or a part without a row, or a class without a training row.
    """
    parts: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
    for row in rows:
        at = position(row.text)
        index = 0 if at < test_share else 1 if at < test_share + validation_share else 2
        parts[index].append(row)
    test, validation, train = parts
    labels = label_names(row for part in parts for row in part)
    _check(labels, train=train, validation=validation, test=test)
    return Split(train=tuple(train), validation=tuple(validation), test=tuple(test), labels=labels)


def _check(labels: tuple[str, ...], *, train: list[Row], validation: list[Row], test: list[Row]) -> None:
    if len(labels) < 2:
        raise DataError(f"a classifier needs two labels; the data have {', '.join(labels) or 'none'}")
    for name, part in (("training", train), ("validation", validation), ("test", test)):
        if not part:
            raise DataError(f"the split left no {name} rows; give more rows, or a larger share to {name}")
    missing = sorted(set(labels) - {row.label for row in train})
    if missing:
        raise DataError(f"no training row for the label {missing[0]!r}; give more rows of it, or drop it")
