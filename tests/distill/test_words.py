"""Figures are said with fixed digits."""

from __future__ import annotations

import pytest

from phalanx_distill.report import words

THIN = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.percent(0.91996), f"92.0{THIN}%"),
        (words.percents(0.9021, 0.9348), f"90.2 to 93.5{THIN}%"),
        (words.points(-0.0207), f"2.1{THIN}points"),
        (words.points(0.01), f"1.0{THIN}point"),
        (words.signed(-0.0207), "−2.1"),
        (words.signed(0.004), "+0.4"),
        (words.signed(-0.0001), "0.0"),
        (words.counted(1, "student"), "1 student"),
        (words.counted(23992, "text"), "23,992 texts"),
        (words.millions(26_133_504), "26.1 M"),
        (words.millions(640), "640"),
        (words.size(104_534_192), "99.7 MiB"),
        (words.size(12), "12 B"),
        (words.seconds(4.21), "4.2 s"),
        (words.seconds(200.4), "3 min 20 s"),
        (words.seconds(3900), "1 h 05 min"),
        (words.milliseconds(9.417), "9.42 ms"),
        (words.milliseconds(18.62), "18.6 ms"),
        (words.probability(0.0391), "0.039"),
        (words.probability(0.0001), "< 0.001"),
        (words.shortened("abcdef", 4), "abc…"),
        (words.shortened("abcd", 4), "abcd"),
    ],
)
def test_a_figure_is_said_as_expected(said: str, expected: str) -> None:
    assert said == expected
