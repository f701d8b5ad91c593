"""The first sentence judges the paired difference by its interval, and says it with its numbers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.intervals import Difference, Pairs
from phalanx_distill.report.document import Report
from phalanx_distill.report.headline import costs_of_k
from phalanx_distill.report.verdict import Standing, budget_of, how_far, standing, verdict
from tests.distill.reports import adapter_report, ensemble_report, searched_report

SHARES = st.floats(-0.2, 0.2, allow_nan=False)


def with_pairs(*pairs: Pairs) -> Report:
    report = ensemble_report(students=len(pairs))
    return msgspec.structs.replace(report, measured=msgspec.structs.replace(report.measured, pairs=pairs))


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (Difference(value=0.002, low=-0.009, high=0.013), Standing.KEPT),
        (Difference(value=-0.004, low=-0.02, high=0.01), Standing.KEPT_PERHAPS),
        (Difference(value=-0.015, low=-0.03, high=0.0), Standing.MISSED_PERHAPS),
        (Difference(value=-0.03, low=-0.04, high=-0.02), Standing.MISSED),
    ],
)
def test_the_interval_decides_how_sure_the_judgement_is(difference: Difference, expected: Standing) -> None:
    assert standing(difference, 0.01) is expected


@given(SHARES, st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 0.1))
def test_a_larger_budget_never_makes_the_judgement_worse(
    value: float, below: float, above: float, budget: float, more: float
) -> None:
    order = [Standing.MISSED, Standing.MISSED_PERHAPS, Standing.KEPT_PERHAPS, Standing.KEPT]
    difference = Difference(value=value, low=value - below, high=value + above)
    assert order.index(standing(difference, budget)) <= order.index(standing(difference, budget + more))


def test_the_sentence_has_both_accuracies_and_the_difference_with_its_interval() -> None:
    found = verdict(with_pairs(Pairs(900, 10, 40, 50)))
    assert found.standing is Standing.MISSED
    assert found.sentence.startswith("The full ensemble of 1 student answers")
    assert "3.0\N{NO-BREAK SPACE}points less (95 % interval: 4.5 less to 1.6 less)" in found.sentence
    assert found.reason == "The whole interval is beyond the default budget of 1.0\N{NO-BREAK SPACE}point."


def test_the_budget_is_the_runs_own_where_it_had_one() -> None:
    assert budget_of(searched_report()) == 0.005
    assert "the run's budget of 0.5" in verdict(searched_report()).reason


def test_equal_shares_are_no_difference_and_mixed_bounds_keep_their_sides() -> None:
    said = how_far(Difference(value=0.0, low=-0.012, high=0.0004))
    assert said == "no difference (95 % interval: 1.2 less to 0.0)"


def test_a_small_difference_is_not_called_none() -> None:
    assert how_far(Difference(value=-0.0004, low=-0.01, high=0.009)).startswith(
        "under 0.1\N{NO-BREAK SPACE}points less"
    )


def test_a_loss_as_large_as_the_budget_is_within_it() -> None:
    # 0.90 - 0.91 is less than -0.01 in floating point.
    assert verdict(with_pairs(Pairs(90, 0, 1, 9))).standing is Standing.KEPT_PERHAPS


def test_every_smaller_number_of_students_gets_a_line_with_its_share_of_the_time() -> None:
    lines = costs_of_k(with_pairs(Pairs(900, 10, 40, 50), Pairs(930, 5, 10, 55), Pairs(938, 2, 2, 58)))
    assert len(lines) == 2
    assert lines[0].startswith("With 1 student: 3.0")
    assert lines[0].endswith("in 0.60 of the full ensemble's time.")
    assert len(costs_of_k(ensemble_report(students=32))) == 6


def test_without_a_teacher_there_is_nothing_to_judge() -> None:
    found = verdict(adapter_report())
    assert found.standing is Standing.UNKNOWN
    assert "on all 2 students answers 100.0" in found.sentence
    assert costs_of_k(adapter_report()) == []
