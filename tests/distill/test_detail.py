"""The closer look at held-out answers counts what it says it counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.metrics import SCORE_BUCKETS
from phalanx_distill.detail import Confusion, ExitReading, Reliability, look
from phalanx_distill.detail.calibration import BINS, reliability

EXPECTED = torch.tensor([0, 0, 1, 2])


def sure(*answers: int, confidence: float = 0.9) -> torch.Tensor:
    """Logits [N, 3] whose softmax gives each answer that confidence."""
    shares = torch.full((len(answers), 3), (1 - confidence) / 2)
    shares[torch.arange(len(answers)), torch.tensor(answers)] = confidence
    return shares.log()


def test_classes_count_rows_right_answers_and_agreement() -> None:
    detail = look(torch.stack([sure(0, 1, 1, 1), sure(0, 0, 1, 1)]), EXPECTED, teacher=sure(0, 1, 1, 2))
    assert [(entry.label, entry.rows, entry.teacher, entry.right, entry.agreeing) for entry in detail.classes] == [
        (0, 2, 1, (1, 2), 1),
        (1, 1, 1, (1, 1), 1),
        (2, 1, 1, (0, 0), 0),
    ]


def test_confusions_are_pairs_of_unlike_answers_with_who_is_right_the_most_frequent_first() -> None:
    expected = torch.tensor([0, 1, 2, 0])
    detail = look(sure(0, 0, 2, 0).unsqueeze(0), expected, teacher=sure(1, 1, 1, 0))
    assert detail.confusions == (
        Confusion(teacher=1, ensemble=0, rows=2, teacher_right=1, ensemble_right=1),
        Confusion(teacher=1, ensemble=2, rows=1, teacher_right=0, ensemble_right=1),
    )


def test_differing_rows_are_named_by_position_the_surest_first() -> None:
    ensemble = torch.cat([sure(0, 1, confidence=0.6), sure(1, 1, confidence=0.8)])
    detail = look(ensemble.unsqueeze(0), EXPECTED, teacher=sure(0, 0, 1, 2))
    assert [(entry.row, entry.expected, entry.teacher, entry.ensemble) for entry in detail.differing] == [
        (3, 2, 2, 1),
        (1, 0, 0, 1),
    ]
    assert detail.differing[0].confidence == pytest.approx(0.8)


def test_without_a_teacher_there_is_nothing_to_be_confused_with() -> None:
    detail = look(sure(0, 1, 1, 1).unsqueeze(0), EXPECTED)
    assert (detail.confusions, detail.differing, detail.exits) == ((), (), ())
    assert [entry.students for entry in detail.reliability] == [1]


@pytest.mark.parametrize(("confidences", "bins"), [((0.66, 0.70), 2), ((0.68, 0.72), 1)])
def test_bins_end_at_whole_fifteenths(confidences: tuple[float, float], bins: int) -> None:
    said = torch.cat([sure(0, confidence=confidence) for confidence in confidences])
    assert len(reliability(said, torch.tensor([0, 1]), students=1).bins) == bins


def test_a_predictor_that_is_right_as_often_as_it_is_sure_has_no_calibration_error() -> None:
    said = torch.cat([sure(0, 0, 0, 0, 0, confidence=0.8)])
    calibrated = reliability(said, torch.tensor([0, 0, 0, 0, 1]), students=1)
    assert calibrated.error == pytest.approx(0, abs=1e-6)
    assert reliability(said, torch.tensor([1, 1, 1, 1, 1]), students=1).error == pytest.approx(0.8)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.integers(0, 1)), min_size=1, max_size=60))
def test_bins_hold_every_row_once_and_their_error_is_a_share(rows: list[tuple[float, float, int]]) -> None:
    logits, expected = torch.tensor([row[:2] for row in rows]), torch.tensor([row[2] for row in rows])
    found: Reliability = reliability(logits, expected, students=1)
    assert sum(entry.rows for entry in found.bins) == len(rows)
    assert 0 <= found.error <= 1
    for entry in found.bins:
        place = entry.confidence * BINS
        assert 0 < place <= BINS
        assert 0 <= entry.right <= 1
    assert [entry.confidence for entry in found.bins] == sorted(entry.confidence for entry in found.bins)


def at(readings: tuple[ExitReading, ...], threshold: float) -> ExitReading:
    return next(entry for entry in readings if entry.threshold == threshold)


def test_texts_leave_at_the_first_ramp_that_is_sure_enough_and_the_others_stay() -> None:
    full = sure(0, 0, 1, 2).unsqueeze(0)
    first = torch.cat([sure(1, confidence=0.95), sure(1, 1, 1, confidence=0.6)]).unsqueeze(0)
    second = torch.cat([sure(2, 0, confidence=0.96), sure(0, 1, confidence=0.4)]).unsqueeze(0)
    readings = look(full, EXPECTED, ramps=(first, second)).exits
    assert [entry.threshold for entry in readings] == list(SCORE_BUCKETS)
    strict, middle = at(readings, 0.01), at(readings, 0.1)
    assert (strict.left, strict.accuracy, strict.agreement) == ((0.0, 0.0), 1.0, 1.0)
    # Row 0 leaves wrongly at ramp 0 and never reaches ramp 1, row 1 leaves rightly at ramp 1, two rows stay.
    assert (middle.left, middle.accuracy, middle.agreement) == ((0.25, 0.25), 0.75, 0.75)
    assert at(readings, 1.0).left == (1.0, 0.0)


@given(st.integers(0, 1000))
def test_the_higher_the_threshold_the_more_texts_leave(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    full, ramp = torch.randn(2, 2, 20, 3, generator=generator)
    expected = torch.randint(3, (20,), generator=generator)
    for k in (1, 2):
        leaving = [sum(entry.left) for entry in look(full, expected, ramps=(ramp,)).exits if entry.students == k]
        assert leaving == sorted(leaving)
