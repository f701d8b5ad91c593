"""What predictors cost: counted parameters, and times that are taken in turns."""

from __future__ import annotations

import pytest
import torch

from phalanx_distill.corpus import Corpus
from phalanx_distill.cost import TEACHER, cost, parameters, timed
from phalanx_grid import Grid, cut, import_checkpoint, stack
from tests.distill import tiny


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("cost") / "teacher")
    return import_checkpoint(folder, classes=3, labels=("a", "b", "c"), seed=0)[0]


def test_students_share_their_embeddings_and_each_adds_its_own_rows_and_head(teacher: Grid) -> None:
    student = cut(teacher, rows=range(1))
    grid = stack([student, student, student], torch.eye(3))
    sizes = [parameters(grid, k) for k in (1, 2, 3)]
    assert sizes[2] == sum(parameter.numel() for parameter in grid.parameters())
    embeddings = sum(parameter.numel() for parameter in grid.embeddings.parameters())
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1] == sizes[0] - embeddings


class Ticks:
    """A clock that a call moves by its own cost."""

    now = 0.0

    def call(self, seconds: float) -> object:
        def work() -> None:
            self.now += seconds

        return work

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("budget_s", "rounds"), [(1e9, 8), (0.0, 5), (5.5, 6)])
def test_calls_take_turns_until_rounds_or_seconds_are_spent(budget_s: float, rounds: int) -> None:
    clock = Ticks()
    calls = {0: clock.call(0.75), 1: clock.call(0.25)}
    seconds = timed(calls, seed=0, rounds=8, budget_s=budget_s, clock=clock)  # type: ignore[arg-type]
    assert seconds == {0: [0.75] * rounds, 1: [0.25] * rounds}
    assert clock.now == rounds + 1  # one round more, to warm up


def test_a_text_of_the_median_length_is_priced_for_the_teacher_and_every_number_of_students(teacher: Grid) -> None:
    grid = stack([cut(teacher, rows=range(1))] * 2, torch.eye(2))
    corpus = Corpus(ids=((2, 5, 3), (2, 3), (2, 5, 6, 7, 3)), pad_id=0)
    found = cost(grid, teacher, corpus, tiny.cpu(), seed=0)
    assert [price.students for price in found.prices] == [TEACHER, 1, 2]
    assert found.tokens == 3
    assert all(0 < price.ms_low <= price.ms <= price.ms_high for price in found.prices)
    assert found.prices[0].parameters == sum(parameter.numel() for parameter in teacher.parameters())
    assert "cores" in found.machine
