"""Cleaning keeps one of each text; the split depends on each text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.limits import MAX_LABEL
from phalanx_distill.config import SplitSettings
from phalanx_distill.data import Dataset, Row, clean, content_hash, split
from phalanx_distill.data.split import position
from phalanx_distill.errors import DataError
from phalanx_distill.prepare import prepare

ROWS = st.lists(st.builds(Row, st.sampled_from("abcdefgh"), st.sampled_from("xy")), max_size=30)


@given(ROWS)
def test_after_cleaning_every_text_stands_once_with_its_only_label(rows: list[Row]) -> None:
    cleaned = clean(rows)
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row.text, set()).add(row.label)
    assert {row.text: {row.label} for row in cleaned.rows} == {
        t: found for t, found in labels.items() if len(found) == 1
    }
    assert len(cleaned.rows) + cleaned.contradictions + cleaned.repeats == len(rows)
    assert clean(cleaned.rows).rows == cleaned.rows


def test_white_space_makes_no_second_text() -> None:
    assert clean([Row("a  b", "x"), Row("a b ", "x"), Row("c", "x"), Row("c ", "y")]).rows == (Row("a b", "x"),)


def many(count: int = 2000) -> list[Row]:
    return [Row(f"text number {index}", "xy"[index % 2]) for index in range(count)]


def test_shares_are_met_and_parts_are_disjoint() -> None:
    parts = split(many(), test_share=0.2, validation_share=0.1)
    assert abs(len(parts.test) - 400) < 60
    assert abs(len(parts.validation) - 200) < 45
    texts = [row.text for part in (parts.train, parts.validation, parts.test) for row in part]
    assert sorted(texts) == sorted(row.text for row in many())
    assert parts.labels == ("x", "y")


def test_a_row_stays_in_its_part_when_others_come_go_or_move() -> None:
    whole = split(many(), test_share=0.2, validation_share=0.1)
    fewer = split(list(reversed(many()))[: 2 * 600], test_share=0.2, validation_share=0.1)
    for name in ("train", "validation", "test"):
        assert set(getattr(fewer, name)) <= set(getattr(whole, name))


def test_positions_are_what_they_were_in_the_first_release() -> None:
    """A changed hash would move users' test rows into training."""
    assert position("Who wrote Hamlet ?") == pytest.approx(0.6807879060419346, abs=1e-12)


def test_near_repeats_stay_together() -> None:
    assert position("Who  wrote it?") == position("who wrote IT?")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "needs two labels; the data have none"),
        ([Row(f"t{i}", "x") for i in range(50)], "needs two labels; the data have x"),
        ([Row("a", "x"), Row("b", "y")], "the split left no"),
    ],
)
def test_data_that_cannot_be_split_are_refused(rows: list[Row], says: str) -> None:
    with pytest.raises(DataError, match=says):
        split(rows, test_share=0.2, validation_share=0.1)


def test_a_label_without_a_training_row_is_refused_by_name() -> None:
    lonely = next(Row(f"z{i}", "rare") for i in range(1000) if position(f"z{i}") < 0.2)
    with pytest.raises(DataError, match="no training row for the label 'rare'"):
        split([*many(), lonely], test_share=0.2, validation_share=0.1)


def test_a_label_longer_than_any_artifact_can_name_is_refused_before_training() -> None:
    def named(length: int) -> Dataset:
        return Dataset("tickets", tuple(Row(row.text, row.label * length) for row in many()))

    assert prepare(named(MAX_LABEL), SplitSettings()).parts.labels == ("x" * MAX_LABEL, "y" * MAX_LABEL)
    with pytest.raises(DataError, match=rf"has {MAX_LABEL + 1} characters, at most {MAX_LABEL} are served; shorten it"):
        prepare(named(MAX_LABEL + 1), SplitSettings())


def test_the_hash_of_rows_sees_text_label_and_order() -> None:
    a, b = Row("a", "x"), Row("b", "y")
    assert len({content_hash(rows) for rows in ([a, b], [b, a], [a], [Row("a", "y"), b])}) == 4
    assert content_hash([Row("ax", "")]) != content_hash([Row("a", "x")])
