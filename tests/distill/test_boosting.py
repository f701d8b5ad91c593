"""Students shrink the residual one after the other, and stand side by side in one grid."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.boost import MAX_STEP, best_step, gain, mean_square, residual
from phalanx_distill.predict import predict
from phalanx_distill.run import Run
from phalanx_distill.students import Students
from phalanx_distill.targets import centred
from tests.distill import tiny


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tiny.Lessons:
    return tiny.Lessons(tmp_path_factory.mktemp("taught"), hidden="chunk")


@pytest.fixture(scope="module")
def boosted(taught: tiny.Lessons, tmp_path_factory: pytest.TempPathFactory) -> Students:
    return grown(taught, tmp_path_factory.mktemp("boosted"))


def grown(taught: tiny.Lessons, folder: Path, **students: object) -> Students:
    run = tiny.student_run(folder, **students)
    return trained(taught, run)


def trained(taught: tiny.Lessons, run: Run) -> Students:
    settings = run.settings.students
    assert settings.rows != "auto" and settings.count != "auto"
    transfer, validation = taught.targets(settings.hidden)
    students = Students(run, taught.teacher, transfer, validation, depth=settings.rows)
    list(students.grow(settings.count))
    return students


def test_the_teacher_learns_the_rows(taught: tiny.Lessons) -> None:
    assert max(epoch.score for epoch in taught.history) > 0.9


def test_what_boosting_leaves_does_not_grow_with_the_number_of_students(taught: tiny.Lessons, tmp_path: Path) -> None:
    students = grown(taught, tmp_path, count=1)
    transfer, validation = [mean_square(taught.transfer.logits)], [mean_square(taught.validation.logits)]
    for most in range(1, 4):
        list(students.grow(most))
        transfer.append(mean_square(students.left))
        validation.append(mean_square(students.left_validation))
    assert transfer == sorted(transfer, reverse=True)
    assert validation == sorted(validation, reverse=True)
    assert transfer[1] < 0.5 * transfer[0]


def test_every_prefix_leaves_less_than_the_one_before(taught: tiny.Lessons, tmp_path: Path) -> None:
    students = grown(taught, tmp_path, ridge=0.0)
    left = [mean_square(taught.validation.logits), *(student.validation_residual for student in students.trained)]
    assert len(left) == 4
    assert left == sorted(left, reverse=True)


def test_the_grid_of_all_students_leaves_what_each_student_said_its_prefix_would(
    taught: tiny.Lessons, boosted: Students
) -> None:
    grid = boosted.ensemble()
    on_transfer = centred(predict(grid, taught.transfer.corpus, boosted.run.compute).logits)
    on_validation = centred(predict(grid, taught.validation.corpus, boosted.run.compute).logits)
    for k, student in enumerate(boosted.trained):
        assert mean_square(taught.transfer.logits - on_transfer[k]) == pytest.approx(student.train_residual, rel=1e-3)
        left = mean_square(taught.validation.logits - on_validation[k])
        assert left == pytest.approx(student.validation_residual, rel=1e-3)
        torch.testing.assert_close(boosted.answers(k + 1), on_validation[k], atol=1e-4, rtol=1e-4)


def test_stagewise_weights_are_what_was_taken_off_the_residual(taught: tiny.Lessons, tmp_path: Path) -> None:
    students = grown(taught, tmp_path, weight="stagewise", count=2)
    said = centred(predict(students.ensemble(), taught.transfer.corpus, students.run.compute).logits)[-1]
    torch.testing.assert_close(said, taught.transfer.logits - students.left, atol=1e-4, rtol=1e-4)


def test_shrinkage_leaves_the_next_student_more_to_learn(taught: tiny.Lessons, tmp_path: Path) -> None:
    whole = grown(taught, tmp_path / "whole", count=1)
    half = grown(taught, tmp_path / "half", count=1, shrinkage=0.5)
    assert half.trained[0].step == pytest.approx(0.5 * whole.trained[0].step)
    assert mean_square(half.left) > 1.5 * mean_square(whole.left)
    # but its own answer counts in full where it answers alone
    torch.testing.assert_close(half.trained[0].weights, whole.trained[0].weights)


def test_students_of_the_teacher_itself_each_learn_it_all_and_differ(taught: tiny.Lessons, tmp_path: Path) -> None:
    students = grown(taught, tmp_path, target="teacher", later_epochs=0)
    whole = mean_square(taught.validation.logits)
    for student in students.trained:
        assert mean_square(taught.validation.logits - student.answers) < 0.5 * whole
        assert len(student.history) == 4
    one, other = students.trained[:2]
    assert not torch.allclose(one.answers, other.answers, atol=1e-3)
    assert torch.equal(students.left, taught.transfer.logits)


def test_all_students_share_the_embeddings_of_the_fine_tuned_teacher(taught: tiny.Lessons, boosted: Students) -> None:
    for student in boosted.trained:
        torch.testing.assert_close(student.grid.embeddings.word, taught.teacher.embeddings.word, rtol=0, atol=0)


def test_embeddings_that_the_first_student_trained_are_shared_by_all(taught: tiny.Lessons, tmp_path: Path) -> None:
    students = grown(taught, tmp_path, train_embeddings=True, count=2)
    one, other = (student.grid.embeddings.word for student in students.trained)
    assert torch.equal(one, other)
    assert not torch.allclose(one, taught.teacher.embeddings.word)
    assert students.ensemble().geometry.students == 2


def test_a_student_is_left_out_when_it_gains_too_little(taught: tiny.Lessons, tmp_path: Path) -> None:
    assert len(grown(taught, tmp_path, min_gain=0.999).trained) == 1


@pytest.mark.parametrize("hidden", ["last", "chunk"])
def test_hidden_states_can_be_a_second_target(hidden: str, taught: tiny.Lessons, tmp_path: Path) -> None:
    def distance(name: str, kind: str) -> float:
        students = grown(taught, tmp_path / name, count=1, hidden=kind, hidden_weight=5.0)
        said = predict(students.trained[0].grid, taught.validation.corpus, students.run.compute).pooled[-1]
        return mean_square(said - taught.targets(hidden)[1].hidden[0])

    assert distance("with", hidden) < 0.9 * distance("without", "none")


def test_labels_count_beside_the_teacher(taught: tiny.Lessons, tmp_path: Path) -> None:
    def confidence(name: str, weight: float) -> float:
        """Mean log-probability of the right labels of training rows."""
        students = grown(taught, tmp_path / name, count=1, label_weight=weight, weight="one")
        labelled = taught.transfer.labels >= 0
        said = predict(students.trained[0].grid, taught.transfer.corpus, students.run.compute).logits[-1]
        labels = taught.transfer.labels[labelled]
        return -float(torch.nn.functional.cross_entropy(said[labelled], labels))

    assert confidence("with", 50.0) > confidence("without", 0.0)


TENSORS = st.lists(st.floats(-5, 5), min_size=6, max_size=6).map(lambda values: torch.tensor(values).view(2, 3))


@given(TENSORS, TENSORS)
def test_the_best_step_never_leaves_more_than_there_was(left: torch.Tensor, answer: torch.Tensor) -> None:
    step = best_step(left, answer)
    assert 0 <= step <= MAX_STEP
    assert mean_square(residual(left, answer, step)) <= mean_square(left) * (1 + 1e-5) + 1e-9


def test_the_best_step_finds_the_scale() -> None:
    answer = torch.tensor([[1.0, -1.0], [0.5, -0.5]])
    assert best_step(1.5 * answer, answer) == pytest.approx(1.5)
    assert best_step(-answer, answer) == 0.0
    assert best_step(9 * answer, answer) == MAX_STEP
    assert best_step(answer, torch.zeros_like(answer)) == 0.0


def test_gain_is_the_share_that_went() -> None:
    assert gain(2.0, 1.5) == pytest.approx(0.25)
    assert gain(0.0, 0.0) == 0.0
