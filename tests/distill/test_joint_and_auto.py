"""All students trained at once keep every prefix a predictor; the cheapest shape within the budget is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from phalanx_distill.auto import Tried, depths
from phalanx_distill.boost import mean_square
from phalanx_distill.config import DistillSettings, parse_settings
from phalanx_distill.ensemble import Ensemble, train_ensemble
from phalanx_distill.joint import own_answers
from phalanx_distill.pipeline import distill
from phalanx_distill.predict import predict
from phalanx_distill.progress import Silent
from phalanx_distill.report.document import Candidate, read_report
from phalanx_distill.targets import centred
from phalanx_distill.teacher import label_indices
from phalanx_grid import load_artifact
from tests.distill import tiny

JOINT = {"epochs": 2, "learning_rate": 5e-3, "batch_rows": 16}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tiny.Lessons:
    return tiny.Lessons(tmp_path_factory.mktemp("taught"))


def made(taught: tiny.Lessons, folder: Path, **students: object) -> Ensemble:
    run = tiny.student_run(folder, **students)
    return train_ensemble(run, taught.teacher, taught.transfer, taught.validation)


@pytest.mark.parametrize("prefixes", ["random", "all"])
def test_training_all_at_once_lowers_what_prefixes_leave_on_transfer_text(
    prefixes: str, taught: tiny.Lessons, tmp_path: Path
) -> None:
    apart = made(taught, tmp_path / "apart", target="teacher")
    together = made(taught, tmp_path / "together", target="teacher", joint={**JOINT, "prefixes": prefixes})
    assert sum(together.residuals.train) < sum(apart.residuals.train)
    words = [ensemble.grid.embeddings.word for ensemble in (apart, together)]
    assert torch.equal(*words)


def test_residuals_are_those_of_the_grid_as_it_will_be_served(taught: tiny.Lessons, tmp_path: Path) -> None:
    ensemble = made(taught, tmp_path, joint=JOINT)
    said = centred(predict(ensemble.grid, taught.validation.corpus, tiny.cpu()).logits)
    left = [mean_square(taught.validation.logits - answer) for answer in said]
    assert left == pytest.approx(ensemble.residuals.validation, rel=1e-4)


def test_a_students_own_answer_is_what_it_says_alone(taught: tiny.Lessons, tmp_path: Path) -> None:
    ensemble = made(taught, tmp_path, count=2)
    weights = ensemble.grid.weights.clone()
    own = own_answers(tiny.student_run(tmp_path / "run"), ensemble.grid, taught.validation.corpus)
    for answer, student in zip(own, ensemble.students, strict=True):
        torch.testing.assert_close(answer, student.answers, atol=1e-4, rtol=1e-4)
    assert torch.equal(ensemble.grid.weights, weights)


def shapes(tried: tuple[Tried, ...]) -> list[tuple[int, int]]:
    return [(shape.rows, shape.students) for shape in tried]


def test_the_search_ends_at_the_first_shape_within_the_budget(taught: tiny.Lessons, tmp_path: Path) -> None:
    auto = {"accuracy_budget": 1.0, "max_count": 3, "max_rows": 2}
    ensemble = made(taught, tmp_path, count="auto", rows="auto", auto=auto)
    assert shapes(ensemble.tried) == [(1, 1)]
    assert (ensemble.grid.geometry.rows, ensemble.grid.geometry.students) == (1, 1)


def test_without_a_shape_within_the_budget_all_are_tried_and_the_best_is_taken(
    taught: tiny.Lessons, tmp_path: Path
) -> None:
    # Students of a third of the teacher's rows that have learnt nothing cannot come near.
    auto = {"accuracy_budget": 0.0, "max_count": 2, "max_rows": 1}
    fit = {"epochs": 1, "learning_rate": 1e-6}
    ensemble = made(taught, tmp_path, count="auto", rows="auto", auto=auto, fit=fit, target="teacher", later_epochs=0)
    assert shapes(ensemble.tried) == [(1, 1), (1, 2)]
    best = max(ensemble.tried, key=lambda shape: shape.accuracy)
    assert ensemble.grid.geometry.students == best.students
    assert not any(shape.met for shape in ensemble.tried)
    assert all(shape.difference.low <= shape.difference.value <= shape.difference.high for shape in ensemble.tried)


def test_shapes_are_held_against_the_teacher_that_they_are_measured_against_also_if_they_learn_from_several(
    taught: tiny.Lessons, tmp_path: Path
) -> None:
    """Of several teachers the validation rows have the mean logits; here such as are wrong on every row."""
    run = tiny.student_run(tmp_path, count="auto", rows=1, target="teacher", auto={"accuracy_budget": 1.0})
    mean = replace(taught.validation, logits=-taught.validation.logits)
    (shape,) = train_ensemble(run, taught.teacher, taught.transfer, mean).tried
    expected = label_indices(taught.teacher.labels, run.prepared.parts.validation)
    said = predict(taught.teacher, taught.validation.corpus, tiny.cpu()).logits[-1]
    teacher = float((said.argmax(-1) == expected).double().mean())
    assert shape.difference.value == pytest.approx(shape.accuracy - teacher)


def test_a_given_depth_is_not_searched(taught: tiny.Lessons, tmp_path: Path) -> None:
    ensemble = made(taught, tmp_path, count="auto", rows=2, auto={"accuracy_budget": 1.0})
    assert shapes(ensemble.tried) == [(2, 1)]


def test_a_given_number_of_students_is_not_searched(taught: tiny.Lessons, tmp_path: Path) -> None:
    ensemble = made(taught, tmp_path, count=2, rows="auto", auto={"accuracy_budget": 1.0})
    assert shapes(ensemble.tried) == [(1, 2)]
    assert ensemble.grid.geometry.students == 2


@pytest.mark.parametrize(("max_rows", "teacher_rows", "tried"), [(3, 6, [1, 2, 3]), (3, 3, [1, 2]), (3, 1, [1])])
def test_as_many_rows_as_the_teachers_are_never_tried(
    max_rows: int, teacher_rows: int, tried: list[int], tmp_path: Path
) -> None:
    run = tiny.student_run(tmp_path, rows="auto", auto={"max_rows": max_rows})
    assert depths(run, teacher_rows) == tried


def test_a_searched_run_is_saved_with_what_was_tried_and_is_the_same_when_it_goes_on(tmp_path: Path) -> None:
    quick = {**tiny.QUICK["students"], "count": "auto", "rows": "auto", "auto": {"accuracy_budget": 0.3}}
    settings = parse_settings(DistillSettings, {**tiny.QUICK, "students": quick})
    sources = tiny.sources(tmp_path / "teacher")

    def run(out: Path, *, keep_work: bool) -> tuple[list[object], str]:
        report = distill(sources, settings, out=out, compute=tiny.cpu(), report=Silent(), keep_work=keep_work)
        return [(each.rows, each.students, each.validation_gap) for each in report.candidates], report.digest

    first = run(tmp_path / "one", keep_work=True)
    (tmp_path / "one.work").rename(tmp_path / "two.work")
    assert run(tmp_path / "two", keep_work=False) == first
    grid = load_artifact(tmp_path / "two").grid
    assert [(shape.rows, shape.students) for shape in report_of(tmp_path / "two") if shape.chosen] == [
        (grid.geometry.rows, grid.geometry.students)
    ]


def report_of(out: Path) -> list[Candidate]:
    report = read_report(out)
    assert report is not None
    return report.candidates
