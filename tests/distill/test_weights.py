"""Weights of students: fitted to the teacher, never negative, and shared where nothing tells students apart."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_distill.config import StudentSettings, parse_settings
from phalanx_distill.weights import fitted_shares, matrix_of, weight_row

SEEDS = st.integers(0, 9999)


def drawn(seed: int, students: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(students, 12, 3, generator=generator), torch.randn(12, 3, generator=generator)


def left(shares: torch.Tensor, answers: torch.Tensor, target: torch.Tensor) -> float:
    return float((target - torch.einsum("m,mnc->nc", shares, answers)).double().square().mean())


@settings(deadline=None)
@given(SEEDS, st.integers(1, 5), st.floats(0, 3))
def test_shares_are_not_negative_and_leave_no_more_than_silence(seed: int, students: int, ridge: float) -> None:
    answers, target = drawn(seed, students)
    shares = fitted_shares(answers, target, ridge=ridge)
    assert (shares >= 0).all()
    assert left(shares, answers, target) <= float(target.double().square().mean()) + 1e-6


@settings(deadline=None)
@given(SEEDS, st.integers(2, 5), st.integers(0, 4), st.floats(-0.3, 0.3))
def test_without_a_ridge_no_other_shares_leave_less(seed: int, students: int, which: int, move: float) -> None:
    answers, target = drawn(seed, students)
    shares = fitted_shares(answers, target, ridge=0.0)
    other = shares.clone()
    other[which % students] = (other[which % students] + move).clamp(min=0)
    assert left(shares, answers, target) <= left(other, answers, target) + 1e-6


@settings(deadline=None)
@given(SEEDS, st.integers(1, 4))
def test_without_a_ridge_one_more_student_never_leaves_more(seed: int, students: int) -> None:
    answers, target = drawn(seed, students + 1)
    fewer = fitted_shares(answers[:-1], target, ridge=0.0)
    more = fitted_shares(answers, target, ridge=0.0)
    assert left(more, answers, target) <= left(fewer, answers[:-1], target) + 1e-6


def test_the_scale_of_the_teacher_is_found_for_every_number_of_students() -> None:
    answers, _ = drawn(0, 3)
    target = 0.5 * answers.sum(0)
    torch.testing.assert_close(fitted_shares(answers, target, ridge=0.0), torch.full((3,), 0.5))
    torch.testing.assert_close(fitted_shares(answers[:1], 2 * answers[0], ridge=5.0), torch.tensor([2.0]))


def test_a_strong_ridge_gives_equal_shares() -> None:
    answers, _ = drawn(1, 3)
    shares = fitted_shares(answers, answers[0], ridge=1000.0)
    assert float(shares.max() - shares.min()) < 0.01
    assert float(fitted_shares(answers, answers[0], ridge=0.0)[0]) == pytest.approx(1.0, abs=1e-4)


def test_students_that_say_nothing_count_nothing() -> None:
    assert fitted_shares(torch.zeros(2, 4, 3), torch.ones(4, 3), ridge=0.1).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("kind", "expected"), [("one", [1.0, 1.0]), ("mean", [0.5, 0.5]), ("stagewise", [0.9, 0.3])])
def test_the_other_rules_do_not_look_at_answers(kind: str, expected: list[float]) -> None:
    answers, target = drawn(0, 2)
    row = weight_row(parse_settings(StudentSettings, {"weight": kind}), answers, target, [0.9, 0.3])
    torch.testing.assert_close(row, torch.tensor(expected))


def test_rows_of_every_number_of_students_make_a_lower_triangle() -> None:
    matrix = matrix_of([torch.tensor([2.0]), torch.tensor([1.0, 0.5])])
    assert matrix.tolist() == [[2.0, 0.0], [1.0, 0.5]]
