"""Rows are read or refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx_distill.data import read_rows, read_texts
from phalanx_distill.data.rows import Row
from phalanx_distill.errors import DataError


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_jsonl_gives_rows_in_order_and_skips_empty_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": " two  blanks ", "label": "x", "id": 7}\n\n{"text": "b", "label": 1}\n')
    assert read_rows(path).rows == (Row("two blanks", "x"), Row("b", "1"))


def test_a_line_separator_inside_a_json_text_does_not_cut_the_row(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": "a\u2028b", "label": "x"}\n')
    assert read_rows(path).rows == (Row("a b", "x"),)


def test_csv_reads_quoted_commas_newlines_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", '\ufefftext,label\n"one, two\nthree",x\n')
    assert read_rows(path).rows == (Row("one, two three", "x"),)


def test_a_csv_text_may_be_as_long_as_a_jsonl_one(tmp_path: Path) -> None:
    text = " ".join(["word"] * 50_000)
    path = write(tmp_path, "a.csv", f'text,label\n"{text}",x\n')
    assert read_rows(path).rows == (Row(text, "x"),)


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "review,stars\ngood,5\n")
    assert read_rows(path, text_column="review", label_column="stars").rows == (Row("good", "5"),)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": ', r"a\.jsonl:2: not a JSON object"),
        ("a.jsonl", '["a", "x"]\n', r"a\.jsonl:1: not a JSON object"),
        ("a.jsonl", '{"text": "a"}\n', r"a\.jsonl:1: no column 'label' \(there: text\)"),
        ("a.jsonl", '{"text": "  ", "label": "x"}\n', r"a\.jsonl:1: 'text' is empty"),
        ("a.jsonl", '{"text": ["a"], "label": "x"}\n', r"a\.jsonl:1: 'text' has to be a text, not list"),
        ("a.jsonl", '{"text": "a", "label": true}\n', r"a\.jsonl:1: 'label' has to be a text, not bool"),
        ("a.jsonl", "\n\n", r"a\.jsonl: no rows; a line is such as"),
        ("a.csv", "text,label\na,x\nb,y,z\n", r"a\.csv:3: more fields than the header has"),
        ("a.csv", "text,label\na,x\nb\n", r"a\.csv:3: no value for 'label'; give every row one"),
        ("a.csv", 'text,label\n"a,x\n', r"a\.csv:2: not CSV"),
        ("a.csv", 'text,label\na,x\n"b" c,y\n', r"a\.csv:3: not CSV"),
        ("a.jsonl", '{"text": null, "label": "x"}\n', r"a\.jsonl:1: no value for 'text'; give every row one"),
        ("a.jsonl", '{"text": "a", "label": "x", "more": ' + "[" * 100_000, r"a\.jsonl:1: not a JSON object"),
        ("a.csv", "text,label,label\na,x,y\n", r"a\.csv:1: two columns are called 'label'; rename the one"),
        ("a.csv", b"text,label\na,x\n\xff,y\n", r"a\.csv:3: not UTF-8 at byte 15"),
        ("a.txt", "a\tx\n", r"a\.txt: rows are read from \.jsonl or \.csv files, not from \.txt"),
    ],
)
def test_bad_rows_are_refused_by_file_and_line(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError, match=says):
        read_rows(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: No such file"):
        read_rows(tmp_path / "none.csv")


def test_texts_are_lines_and_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, "t.txt", "one\n\n two \n")) == ("one", "two")
    with pytest.raises(DataError, match="no texts"):
        read_texts(write(tmp_path, "e.txt", "\n"))


def test_records_are_not_taken_for_texts(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"t\.jsonl: holds records; write the texts alone, one a line, into a \.txt file"
    ):
        read_texts(write(tmp_path, "t.jsonl", '{"text": "one"}\n'))


def test_two_columns_of_one_name_that_are_not_asked_for_do_no_harm(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", "text,id,label,id\na,1,x,2\n")).rows == (Row("a", "x"),)
