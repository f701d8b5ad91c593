"""Durations and quantities mean what Go and Kubernetes mean by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.units import format_duration, parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20ms", 0.02), ("1s", 1), ("1.5s", 1.5), ("1m30s", 90), ("2h", 7200), ("0s", 0), ("1h1m1s1ms", 3661.001)],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "20", "ms", "-1s", "1 s", "1e3s", "20MS", "١s", "1s\n"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="20ms"):
        parse_duration(text)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_terms_of_a_duration_add_up(minutes, milliseconds):
    assert parse_duration(f"{minutes}m{milliseconds}ms") == pytest.approx(minutes * 60 + milliseconds / 1000)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_refused(text):
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert "is not a duration" in str(error)


@pytest.mark.parametrize(
    ("text", "amount"), [("1Gi", 2**30), ("512Mi", 2**29), ("1", 1), ("1.5k", 1500), ("0.1Ki", 103), ("2T", 2 * 10**12)]
)
def test_a_quantity_is_read_in_units_rounded_up(text, amount):
    assert parse_quantity(text) == amount


@given(st.integers(0, 10**9), st.sampled_from(["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]))
def test_a_larger_quantity_is_never_read_as_a_smaller_one(number, suffix):
    assert parse_quantity(f"{number + 1}{suffix}") > parse_quantity(f"{number}{suffix}")


@pytest.mark.parametrize("text", ["", "Gi", "-1", "1GB", "1e3", " 1"])
def test_what_is_no_quantity_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="1Gi"):
        parse_quantity(text)


@given(st.floats(0.001, 86400))
def test_a_formatted_duration_reads_back_within_a_percent(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.01)
