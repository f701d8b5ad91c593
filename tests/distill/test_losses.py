"""What each training minimises, against the same written out by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from phalanx_distill.adapter import train_adapter
from phalanx_distill.batches import drawn_students
from phalanx_distill.config import AdaptSettings, Fitting, StudentSettings
from phalanx_distill.fit import Epoch, Task
from phalanx_distill.joint import train_jointly, weigh
from phalanx_distill.learning import Lesson
from phalanx_distill.progress import Silent
from phalanx_distill.ramps import pooled, train_ramps
from phalanx_distill.seedlings import seedling
from phalanx_distill.stages import Stages
from phalanx_distill.students import Students
from phalanx_distill.targets import centred
from phalanx_distill.weights import matrix_of
from phalanx_grid import Grid, LoraAdapter, stack
from tests.distill import tiny

STEPS = (0.9, 0.3, 1.4)
"""What was taken off the residual by each of three students."""
EPOCHS = range(16)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tiny.Lessons:
    return tiny.Lessons(tmp_path_factory.mktemp("taught"), hidden="chunk")


@pytest.fixture
def rows(taught: tiny.Lessons) -> list[int]:
    """Two training rows and a made-up text, which has no label."""
    return [1, 4, int((taught.transfer.labels < 0).nonzero()[0])]


def three_students(taught: tiny.Lessons, *, depth: int = 1) -> Grid:
    starts = [[(student + row) % tiny.ROWS for row in range(depth)] for student in range(3)]
    weights = matrix_of([torch.tensor(STEPS[: k + 1]) for k in range(3)])
    return stack([seedling(taught.teacher, start, silent=False) for start in starts], weights)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What would be fitted."""
    seen: list[Task] = []

    def kept(task: Task, how: Fitting, *, seed: int, stages: Stages, report: Silent) -> list[Epoch]:
        seen.append(task)
        return []

    for module in ("adapter", "joint", "ramps"):
        monkeypatch.setattr(f"phalanx_distill.{module}.fit", kept)
    return seen


def test_a_student_learns_what_is_left_its_own_chunks_states_and_the_labels_by_the_sum(
    taught: tiny.Lessons, rows: list[int]
) -> None:
    chosen = {"target": "residual", "hidden": "chunk", "hidden_weight": 0.5, "label_weight": 2.0}
    transfer, left = taught.transfer, 0.25 * taught.transfer.logits
    settings = msgspec.convert(chosen, StudentSettings)
    lesson = Lesson(1, settings, transfer, taught.validation, left, taught.validation.logits, 1)
    grid = seedling(taught.teacher, [1], silent=False)
    loss = lesson.task(grid, tiny.cpu(), name="student", title="student").loss(0, rows)
    output = grid(transfer.corpus.batch(rows))
    said = output.prefix_logits[-1]
    labelled = rows[:2]
    by_labels = cross_entropy(said[:2] + 0.75 * transfer.logits[labelled], transfer.labels[labelled], reduction="sum")
    expected = (
        mse_loss(centred(said), left[rows])
        + 0.5 * mse_loss(output.pooled[-1], transfer.hidden[1][rows])
        + 2.0 * by_labels / len(rows)
    )
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("prefixes", ["random", "all"])
def test_all_students_together_learn_by_one_drawn_prefix_or_by_the_mean_of_all(
    prefixes: str, taught: tiny.Lessons, rows: list[int], tasks: list[Task], tmp_path: Path
) -> None:
    run, grid = tiny.student_run(tmp_path, joint={"epochs": 1, "prefixes": prefixes}), three_students(taught)
    train_jointly(run, grid, taught.transfer, taught.validation)
    said = centred(grid(taught.transfer.corpus.batch(rows)).prefix_logits)
    left = (said - taught.transfer.logits[rows]).square().mean((1, 2))
    drawn = [drawn_students(rows, students=3, seed=run.settings.seed, epoch=epoch) for epoch in EPOCHS]
    assert set(drawn) == {1, 2, 3}
    for epoch, k in zip(EPOCHS, drawn, strict=True):
        torch.testing.assert_close(tasks[0].loss(epoch, rows), left.mean() if prefixes == "all" else left[k - 1])


def test_stagewise_weights_are_after_joint_training_what_they_were(taught: tiny.Lessons, tmp_path: Path) -> None:
    grid = three_students(taught)
    before = grid.weights.clone()
    weigh(tiny.student_run(tmp_path, weight="stagewise"), grid, taught.transfer, taught.validation)
    torch.testing.assert_close(grid.weights, before)


@pytest.mark.parametrize(("factor", "on_validation", "step"), [(2.0, 1.0, 0.5), (1.0, 2.0, 0.5), (1.0, 1.0, 1.0)])
def test_a_step_is_no_longer_than_validation_rows_and_transfer_text_both_support(
    factor: float, on_validation: float, step: float, taught: tiny.Lessons, tmp_path: Path
) -> None:
    students = Students(tiny.student_run(tmp_path), taught.teacher, taught.transfer, taught.validation, depth=1)
    found = students._step(factor * taught.transfer.logits, on_validation * taught.validation.logits)
    assert found == pytest.approx(step)


def test_ramps_learn_the_full_depths_answer_after_every_row_for_every_number_of_students(
    taught: tiny.Lessons, rows: list[int], tasks: list[Task], tmp_path: Path
) -> None:
    run, grid, corpus = tiny.tiny_run(tmp_path), three_students(taught, depth=3), taught.transfer.corpus
    train_ramps(run, grid, corpus, taught.validation.corpus)
    assert grid.ramps is not None
    batch = corpus.batch(rows)
    output = grid(batch, collect_hidden=True)
    expected = torch.zeros(())
    for row in range(2):
        states = pooled(output.hidden[row + 1], batch.mask, grid.geometry.pooling)
        for k, said in enumerate(grid.ramps(row, states, grid.weights)):
            expected = expected + cross_entropy(said, output.prefix_logits[k].softmax(-1))
    torch.testing.assert_close(tasks[0].loss(0, rows), expected)


def test_an_adapter_learns_by_the_prefix_that_is_drawn_for_the_batch(
    taught: tiny.Lessons, rows: list[int], tasks: list[Task], tmp_path: Path
) -> None:
    grid, corpus, labels = three_students(taught), taught.transfer.corpus, torch.arange(len(taught.transfer)) % 2
    adapter, settings = LoraAdapter(grid.geometry, ("x", "y"), rank=2, alpha=4.0), AdaptSettings()
    examples, stages = (corpus, labels), Stages(tmp_path, "a" * 64)
    train_adapter(grid, adapter, examples, examples, settings, compute=tiny.cpu(), stages=stages, report=Silent())
    for epoch in EPOCHS:
        k = drawn_students(rows, students=3, seed=settings.seed, epoch=epoch)
        said = grid(corpus.batch(rows), students=k, adapter=adapter).prefix_logits[-1]
        torch.testing.assert_close(tasks[0].loss(epoch, rows), cross_entropy(said, labels[rows]))


def test_texts_that_are_thinned_out_keep_what_is_said_of_them(taught: tiny.Lessons) -> None:
    whole = taught.transfer
    fewer = whole.thinned(len(whole) // 3)
    chosen = [whole.corpus.ids.index(ids) for ids in fewer.corpus.ids]
    assert 0 < len(fewer) <= len(whole) // 3
    assert torch.equal(fewer.logits, whole.logits[chosen])
    assert torch.equal(fewer.hidden, whole.hidden[:, chosen])
    assert torch.equal(fewer.labels, whole.labels[chosen])
