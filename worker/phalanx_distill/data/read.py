"""Rows from JSONL or CSV, plain texts from text files. Every refusal names file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from phalanx_distill.data.rows import Dataset, Row, one_line
from phalanx_distill.errors import DataError

_JSONL = {".jsonl", ".ndjson"}


def read_rows(path: Path, *, text_column: str = "text", label_column: str = "label") -> Dataset:
    """Read labelled rows.

    `.jsonl` and `.ndjson` hold one object a line, `.csv` a header and one record a line; both in UTF-8. Other
    columns are ignored, lines without content are skipped, whole numbers serve as labels by their text.

    Raises:
        DataError: no such file, another format, a column that is missing, no text or label, or no row at all.
    """
    records = _records(path, (text_column, label_column))
    rows = tuple(
        Row(
            text=_field(record, text_column, path, line),
            label=_field(record, label_column, path, line),
        )
        for line, record in records
    )
    if not rows:
        raise DataError(f"{path}: no rows; a line is such as {_example(text_column, label_column)}")
    return Dataset(name=path.stem, rows=rows)


def read_texts(path: Path) -> tuple[str, ...]:
    """Read unlabelled texts, one a line; empty lines are skipped.

    Raises:
        DataError: no such file, not UTF-8, no text in it, or records in place of texts.
    """
    if path.suffix.lower() in _JSONL:
        raise DataError(f"{path}: holds records; write the texts alone, one a line, into a .txt file")
    texts = tuple(filter(None, map(one_line, _decode(path).split("\n"))))
    if not texts:
        raise DataError(f"{path}: no texts; write one text a line")
    return texts


def _records(path: Path, columns: tuple[str, str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix in _JSONL:
        return _jsonl(path, _decode(path))
    if suffix == ".csv":
        return _csv(path, _decode(path), columns)
    raise DataError(f"{path}: rows are read from .jsonl or .csv files, not from {suffix or 'a file without suffix'}")


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError.at(path, line, f"not UTF-8 at byte {error.start}; convert the file to UTF-8") from error


def _jsonl(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # Split at \n alone: str.splitlines would also cut at U+2028, which JSON allows inside a string.
    for line, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            yield line, msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise DataError.at(path, line, f"not a JSON object: {error}") from error


def _csv(path: Path, text: str, columns: tuple[str, str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a document may be longer than what is usual
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for column in columns:
            if (reader.fieldnames or []).count(column) > 1:
                raise DataError.at(path, 1, f"two columns are called {column!r}; rename the one that is not meant")
        for record in reader:
            # DictReader files surplus fields under None and missing ones as None.
            if None in record:
                raise DataError.at(path, reader.line_num, "more fields than the header has; quote texts with commas")
            yield reader.line_num, record
    except csv.Error as error:
        # The line that was read last: DictReader's own count stands before it.
        raise DataError.at(path, reader.reader.line_num, f"not CSV: {error}") from error


def _field(record: Mapping[str, Any], column: str, path: Path, line: int) -> str:
    if column not in record:
        there = ", ".join(map(str, _names(record))) or "none"
        raise DataError.at(path, line, f"no column {column!r} (there: {there}); name it with an option")
    value = record[column]
    if value is None:
        raise DataError.at(path, line, f"no value for {column!r}; give every row one")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError.at(path, line, f"{column!r} has to be a text, not {type(value).__name__}")
    text = one_line(str(value))
    if not text:
        raise DataError.at(path, line, f"{column!r} is empty")
    return text


def _names(record: Mapping[str, Any]) -> Iterable[str]:
    return list(record)[:8]


def _example(text_column: str, label_column: str) -> str:
    return msgspec.json.encode({text_column: "Who wrote it?", label_column: "person"}).decode()
