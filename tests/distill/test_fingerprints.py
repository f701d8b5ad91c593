"""Whatever decides a result makes another run or teacher of it; names and places do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from phalanx_distill.data import Dataset
from phalanx_distill.pipeline import _fingerprint as mark_of_run
from phalanx_distill.prepare import prepare
from phalanx_distill.run import Run
from phalanx_distill.sources import find_checkpoint
from phalanx_distill.teachers import _fingerprint as mark_of_teacher
from phalanx_grid import CheckpointHead
from tests.distill import tiny

Change = Callable[[Run], Run]


def of_teacher(**changes: object) -> Change:
    return lambda run: replace(run, sources=replace(run.sources, teacher=replace(run.sources.teacher, **changes)))


def of_rows(*, name: str = "tiny", seed: int = 0) -> Change:
    def change(run: Run) -> Run:
        rows = Dataset(name, tiny.rows(seed=seed))
        return replace(run, sources=replace(run.sources, rows=rows), prepared=prepare(rows, run.settings.split))

    return change


def of_settings(**changes: object) -> Change:
    return lambda run: replace(run, settings=tiny.settings(**changes))


HEAD = CheckpointHead(classes=3, labels=("city", "colour", "animal"))
FOR_BOTH: dict[str, Change] = {
    "weights": of_teacher(sha256="0" * 64),
    "tokenizer": of_teacher(configuration="0" * 64),
    "head": of_teacher(head=HEAD),
    "rows": of_rows(seed=1),
    "precision": lambda run: replace(run, compute=replace(run.compute, dtype=torch.bfloat16)),
    "limit": of_settings(max_tokens=12),
    "parts": of_settings(split={"test_share": 0.3}),
    "teacher": of_settings(teacher={**tiny.QUICK["teacher"], "word_drop": 0.5}),
}
FOR_RUNS_ALONE: dict[str, Change] = {
    "seed": of_settings(seed=1),
    "teachers": of_settings(teacher={**tiny.QUICK["teacher"], "count": 2}),
    "students": of_settings(students={**tiny.QUICK["students"], "count": 2}),
    "transfer text": of_settings(transfer={"neighbours": 2}),
    "ramps": of_settings(ramps={"max_texts": 5}),
    "unlabelled": lambda run: replace(run, sources=replace(run.sources, unlabelled=("free text",))),
}
FOR_NEITHER: dict[str, Change] = {
    "name of the teacher": of_teacher(name="other"),
    "place of the teacher": of_teacher(folder=Path("elsewhere")),
    "name of the rows": of_rows(name="other"),
    "folders": lambda run: replace(run, shelf=Path("teachers"), kept=Path("students")),
}


def marks(run: Run) -> tuple[str, str]:
    """The fingerprints of the run and of its teacher with the seed 5."""
    return mark_of_run(run.sources, run.settings, run.prepared, run.compute), mark_of_teacher(run, 5)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tiny.tiny_run(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("what", FOR_BOTH)
def test_what_a_teacher_depends_on_makes_another_run_and_another_teacher(what: str, run: Run) -> None:
    changed, before = marks(FOR_BOTH[what](run)), marks(run)
    assert changed[0] != before[0]
    assert changed[1] != before[1]


@pytest.mark.parametrize("what", FOR_RUNS_ALONE)
def test_what_comes_after_the_teacher_makes_another_run_with_the_same_teacher(what: str, run: Run) -> None:
    changed, before = marks(FOR_RUNS_ALONE[what](run)), marks(run)
    assert changed[0] != before[0]
    assert changed[1] == before[1]


@pytest.mark.parametrize("what", FOR_NEITHER)
def test_names_and_places_make_nothing_new(what: str, run: Run) -> None:
    assert marks(FOR_NEITHER[what](run)) == marks(run)


def test_teachers_of_other_seeds_are_others(run: Run) -> None:
    assert mark_of_teacher(run, 5) != mark_of_teacher(run, 6)


def test_the_order_of_a_heads_outputs_makes_another_run(run: Run) -> None:
    other = CheckpointHead(classes=3, labels=("colour", "city", "animal"))
    assert marks(of_teacher(head=HEAD)(run))[0] != marks(of_teacher(head=other)(run))[0]


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "config.json", "1_Pooling/config.json", "sentence_bert_config.json"]
)
def test_whatever_is_read_of_a_checkpoint_makes_another_run_and_another_teacher(
    name: str, run: Run, tmp_path: Path
) -> None:
    folder = tiny.write_checkpoint(tmp_path / "teacher")
    before = find_checkpoint(str(folder))
    assert find_checkpoint(str(folder)) == before
    (folder / "README.md").write_text("says nothing")
    assert find_checkpoint(str(folder)) == before
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.read_text() + "\n" if path.exists() else "{}")
    after = find_checkpoint(str(folder))
    assert after.sha256 == before.sha256
    own, changed = (marks(replace(run, sources=replace(run.sources, teacher=each))) for each in (before, after))
    assert own[0] != changed[0]
    assert own[1] != changed[1]
