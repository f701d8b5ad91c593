"""A labelled text, and a named set of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One text and the name of its class."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows as they were read, under the name that reports show."""

    name: str
    rows: tuple[Row, ...]


def label_names(rows: Iterable[Row]) -> tuple[str, ...]:
    """The classes, sorted: a label's index in this tuple is its index in every head."""
    return tuple(sorted({row.label for row in rows}))


def one_line(text: str) -> str:
    """White space collapsed to single blanks: two texts that differ in nothing else are one text."""
    return " ".join(text.split())


def content_hash(rows: Sequence[Row]) -> str:
    """64 hex digits over texts and labels in order. Equal rows give equal hashes wherever they were read from."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row.text, row.label]).encode())
    return digest.hexdigest()
