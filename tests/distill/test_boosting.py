"""Students shrink the residual one after the other, and stand side by side in one grid."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.boost import MAX_WEIGHT, fitted_weight, gain, mean_square, residual
from phalanx_distill.config import StudentSettings
from phalanx_distill.errors import SettingError
from phalanx_distill.pipeline import _encode, _teacher_seed, _transfer_texts
from phalanx_distill.predict import predict
from phalanx_distill.students import Booster, Student, Taught, check_starts, ensemble, first_row, seedling
from phalanx_distill.targets import centred
from phalanx_distill.teacher import train_teacher
from phalanx_grid import Grid
from tests.distill import tiny


class Boosted:
    """A teacher and its students, trained once for this module."""

    def __init__(self, folder: Path) -> None:
        self.run = tiny.tiny_run(folder)
        self.teacher, self.tokenizer = _teacher_seed(self.run)
        self.history = train_teacher(self.run, self.teacher, self.tokenizer)
        self.transfer = self.taught(_transfer_texts(self.run))
        self.validation = self.taught([row.text for row in self.run.prepared.parts.validation])
        self.booster = Booster(self.run, self.teacher, self.transfer, self.validation)
        self.students: list[Student] = self.booster.run()
        self.grid: Grid = ensemble(self.students)

    def taught(self, texts: list[str]) -> Taught:
        corpus = _encode(self.run, self.tokenizer, self.teacher, texts)
        return Taught.of(corpus, predict(self.teacher, corpus, self.run.compute))


@pytest.fixture(scope="module")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Boosted:
    return Boosted(tmp_path_factory.mktemp("boosted"))


def test_the_teacher_learns_the_rows(boosted: Boosted) -> None:
    assert max(epoch.score for epoch in boosted.history) > 0.9


def test_the_training_residual_does_not_grow_with_the_number_of_students(boosted: Boosted) -> None:
    left = [mean_square(boosted.transfer.logits), *(student.train_residual for student in boosted.students)]
    assert len(left) == 4
    assert left == sorted(left, reverse=True)
    assert left[1] < 0.5 * left[0]


def test_the_validation_residual_does_not_grow_either(boosted: Boosted) -> None:
    left = [mean_square(boosted.validation.logits), *(student.validation_residual for student in boosted.students)]
    assert left == sorted(left, reverse=True)


def test_the_grid_of_all_students_answers_the_teacher_less_the_residual(boosted: Boosted) -> None:
    answers = centred(predict(boosted.grid, boosted.transfer.corpus, boosted.run.compute).logits)
    torch.testing.assert_close(answers[-1], boosted.transfer.logits - boosted.booster.left, atol=1e-4, rtol=1e-4)
    for k, student in enumerate(boosted.students):
        assert mean_square(boosted.transfer.logits - answers[k]) == pytest.approx(student.train_residual, rel=1e-3)


def test_all_students_share_the_embeddings_of_the_fine_tuned_teacher(boosted: Boosted) -> None:
    for student in boosted.students:
        torch.testing.assert_close(student.grid.embeddings.word, boosted.teacher.embeddings.word, rtol=0, atol=0)


def test_a_student_is_left_out_when_it_gains_too_little(tmp_path: Path, boosted: Boosted) -> None:
    run = tiny.tiny_run(tmp_path, tiny.settings(students={**tiny.QUICK["students"], "min_gain": 0.999}))
    assert len(Booster(run, boosted.teacher, boosted.transfer, boosted.validation).run()) == 1


def test_a_later_seedling_says_nothing_so_that_it_starts_from_the_residual(boosted: Boosted) -> None:
    silent = seedling(boosted.teacher, start=1, rows=2, silent=True)
    assert silent.geometry.rows == 2
    assert not predict(silent, boosted.validation.corpus, boosted.run.compute).logits.any()
    torch.testing.assert_close(silent.rows[0].qkv.weight, boosted.teacher.rows[1].qkv.weight)


def test_hidden_states_can_be_a_second_target(tmp_path: Path, boosted: Boosted) -> None:
    def distance(hidden: str) -> float:
        chosen = {**tiny.QUICK["students"], "count": 1, "hidden": hidden, "hidden_weight": 5.0}
        run = tiny.tiny_run(tmp_path / hidden, tiny.settings(students=chosen))
        (student,) = Booster(run, boosted.teacher, boosted.transfer, boosted.validation).run()
        pooled = predict(student.grid, boosted.validation.corpus, run.compute).pooled[-1]
        return mean_square(pooled - boosted.validation.pooled)

    assert distance("last") < 0.9 * distance("none")


def test_the_last_start_holds_for_all_further_students() -> None:
    settings = StudentSettings(starts=(0, 2))
    assert [first_row(settings, index) for index in range(4)] == [0, 2, 2, 2]


def test_a_start_beyond_the_teachers_rows_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match=r"students\.starts: rows 5\.\.6 of a teacher that has 0\.\.5"):
        check_starts(StudentSettings(rows=2, starts=(0, 5)), 6)


TENSORS = st.lists(st.floats(-5, 5), min_size=6, max_size=6).map(lambda values: torch.tensor(values).view(2, 3))


@given(TENSORS, TENSORS)
def test_the_fitted_weight_never_leaves_more_than_there_was(left: torch.Tensor, answer: torch.Tensor) -> None:
    weight = fitted_weight(left, answer)
    assert 0 <= weight <= MAX_WEIGHT
    assert mean_square(residual(left, answer, weight)) <= mean_square(left) * (1 + 1e-5) + 1e-9


def test_the_fitted_weight_finds_the_scale() -> None:
    answer = torch.tensor([[1.0, -1.0], [0.5, -0.5]])
    assert fitted_weight(1.5 * answer, answer) == pytest.approx(1.5)
    assert fitted_weight(-answer, answer) == 0.0
    assert fitted_weight(9 * answer, answer) == MAX_WEIGHT
    assert fitted_weight(answer, torch.zeros_like(answer)) == 0.0


def test_gain_is_the_share_that_went() -> None:
    assert gain(2.0, 1.5) == pytest.approx(0.25)
    assert gain(0.0, 0.0) == 0.0
