"""Students are kept by all that they depend on: what is alike is trained once, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from phalanx_distill.config import Fitting, StudentFitting, StudentSettings
from phalanx_distill.ensemble import Ensemble, train_ensemble
from phalanx_distill.learning import APART, Lesson
from phalanx_distill.seedlings import seedling
from phalanx_grid import Grid
from tests.distill import tiny

HOW = Fitting(epochs=1)
OTHERWISE: dict[str, Any] = {
    "count": 7,
    "rows": 3,
    "auto": {"max_rows": 1},
    "target": "residual",
    "shrinkage": 0.5,
    "rows_from": 1,
    "dropout": 0.2,
    "train_embeddings": True,
    "weight": "mean",
    "ridge": 0.7,
    "hidden": "last",
    "hidden_weight": 0.7,
    "label_weight": 0.7,
    "min_gain": 0.3,
    "fit": {"epochs": 9},
    "later_epochs": 9,
    "joint": {"epochs": 9},
}
"""For every setting a value that is not the default."""


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tiny.Lessons:
    return tiny.Lessons(tmp_path_factory.mktemp("taught"))


@pytest.fixture
def lesson(taught: tiny.Lessons) -> Lesson:
    logits = taught.transfer.logits, taught.validation.logits
    return Lesson(0, StudentSettings(), taught.transfer, taught.validation, *logits, 1)


def mark(lesson: Lesson, start: Grid, how: Fitting = HOW) -> str:
    return lesson.mark(start, how, tiny.cpu())


@pytest.fixture
def start(taught: tiny.Lessons) -> Grid:
    return seedling(taught.teacher, [0], silent=False)


@pytest.mark.parametrize("name", StudentSettings.__struct_fields__)
def test_a_setting_tells_students_apart_unless_its_whole_effect_is_told_otherwise(
    name: str, lesson: Lesson, start: Grid
) -> None:
    changed = msgspec.convert({name: OTHERWISE[name]}, StudentSettings)
    assert changed != StudentSettings()
    assert (mark(replace(lesson, settings=changed), start) == mark(lesson, start)) == (name in APART)


@pytest.mark.parametrize("name", Fitting.__struct_fields__)
def test_everything_in_its_training_tells_students_apart(name: str, lesson: Lesson, start: Grid) -> None:
    how = msgspec.structs.replace(HOW, **{name: getattr(HOW, name) * 2})
    assert mark(lesson, start, how) != mark(lesson, start)


CHANGES: dict[str, Callable[[Lesson], Lesson]] = {
    "index": lambda lesson: replace(lesson, index=1),
    "seed": lambda lesson: replace(lesson, seed=2),
    "what is left": lambda lesson: replace(lesson, left=lesson.left * 0.5),
    "what is left of validation rows": lambda lesson: replace(lesson, left_validation=lesson.left_validation * 0.5),
    "texts": lambda lesson: replace(
        lesson, transfer=replace(lesson.transfer, corpus=replace(lesson.transfer.corpus, ids=((1, 2),)))
    ),
    "answers": lambda lesson: replace(lesson, transfer=replace(lesson.transfer, logits=lesson.transfer.logits + 1)),
    "labels": lambda lesson: replace(lesson, transfer=replace(lesson.transfer, labels=lesson.transfer.labels + 1)),
    "states": lambda lesson: replace(lesson, transfer=replace(lesson.transfer, hidden=torch.zeros(1, 2, 3))),
    "validation rows": lambda lesson: replace(lesson, validation=lesson.transfer),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_a_student_learns_from_tells_it_apart(what: str, lesson: Lesson, start: Grid) -> None:
    assert mark(CHANGES[what](lesson), start) != mark(lesson, start)


def test_its_start_tells_a_student_apart(taught: tiny.Lessons, lesson: Lesson, start: Grid) -> None:
    others = [seedling(taught.teacher, [1], silent=False), seedling(taught.teacher, [0], silent=True)]
    assert len({mark(lesson, grid) for grid in (start, *others)}) == 3
    assert mark(lesson, seedling(taught.teacher, [0], silent=False)) == mark(lesson, start)


class Titles:
    """The stages of a run that had something to do."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
        self.seen.append(title)
        yield lambda steps=1, note="": None

    def say(self, line: str) -> None:
        return


def made(taught: tiny.Lessons, folder: Path, kept: Path | None, **students: object) -> tuple[Ensemble, list[str]]:
    run, titles = tiny.student_run(folder, target="teacher", **students), Titles()
    run.kept, run.report = kept, titles
    return train_ensemble(run, taught.teacher, taught.transfer, taught.validation), titles.seen


@pytest.mark.parametrize(
    ("change", "trained"),
    [
        ({"weight": "mean"}, []),
        ({"count": 2}, []),
        ({"count": 4}, ["student 4 of 4"]),
        ({"joint": {"epochs": 1}}, ["all 3 students"]),
        ({"later_epochs": 2}, ["student 2 of 3", "student 3 of 3"]),
        ({"rows_from": (0, 1)}, ["student 2 of 3", "student 3 of 3"]),
    ],
)
def test_a_later_run_trains_the_students_that_are_new_and_gives_what_it_would_have_given_alone(
    change: dict[str, object], trained: list[str], taught: tiny.Lessons, tmp_path: Path
) -> None:
    _, first = made(taught, tmp_path / "first", tmp_path / "kept")
    assert first == ["student 1 of 3", "student 2 of 3", "student 3 of 3"]
    after, seen = made(taught, tmp_path / "after", tmp_path / "kept", **change)
    assert seen == trained
    alone, _ = made(taught, tmp_path / "alone", None, **change)
    for name, value in alone.grid.state_dict().items():
        assert torch.equal(value, after.grid.state_dict()[name]), name
    assert [student.history for student in after.students] == [student.history for student in alone.students]


def test_a_student_that_is_broken_off_goes_on_where_it_was(taught: tiny.Lessons, tmp_path: Path) -> None:
    run = tiny.student_run(tmp_path / "broken", target="teacher", count=1)
    run.kept, run.report = tmp_path / "kept", StopsAfter(2)
    with pytest.raises(KeyboardInterrupt):
        train_ensemble(run, taught.teacher, taught.transfer, taught.validation)
    (folder,) = [path for path in (tmp_path / "kept").iterdir() if path.is_dir()]
    assert [path.name for path in folder.iterdir()] == ["student.safetensors"]
    after, _ = made(taught, tmp_path / "after", tmp_path / "kept", count=1)
    alone, _ = made(taught, tmp_path / "alone", None, count=1)
    assert all(torch.equal(value, after.grid.state_dict()[name]) for name, value in alone.grid.state_dict().items())
    assert list((tmp_path / "kept").iterdir()) == [folder]


class StopsAfter(Titles):
    """Ends a run after so many epochs."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
        def advance(steps: int = 1, note: str = "") -> None:
            if note.startswith(f"epoch {self.epochs + 1}/"):
                raise KeyboardInterrupt

        yield advance


def test_students_that_go_by_the_width_are_those_of_the_rate_that_it_gives(
    taught: tiny.Lessons, tmp_path: Path
) -> None:
    fit = StudentFitting(epochs=1)
    made(taught, tmp_path / "auto", tmp_path / "kept", count=1, fit={"epochs": 1})
    rate = fit.of_width(tiny.HIDDEN).learning_rate
    _, seen = made(taught, tmp_path / "rate", tmp_path / "kept", count=1, fit={"epochs": 1, "learning_rate": rate})
    assert seen == []
