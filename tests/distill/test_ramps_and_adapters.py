"""Ramps and adapters are trained on frozen students and serve every number of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phalanx_distill.adapting import adapt
from phalanx_distill.batches import drawn_students
from phalanx_distill.config import AdaptSettings, parse_settings
from phalanx_distill.data import Dataset, Row
from phalanx_distill.errors import OutputError
from phalanx_distill.output import check_output
from phalanx_distill.pipeline import distill
from phalanx_distill.prepare import prepare
from phalanx_distill.progress import Silent
from phalanx_distill.ramps import pooled
from phalanx_distill.report.document import Report, read_report
from phalanx_distill.teacher import encode, label_indices
from phalanx_grid import Batch, LoadedArtifact, LoraAdapter, load_adapter, load_artifact
from phalanx_grid.readout import pool
from tests.distill import tiny

ADAPT = {
    "rank": 2,
    "fit": {"epochs": 6, "learning_rate": 2e-2, "batch_rows": 16},
    "max_tokens": 16,
}


class Made:
    """One small ensemble of two rows, distilled once for this module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        chosen = tiny.settings(students={**tiny.QUICK["students"], "rows": 2}, ramps={"fit": {"epochs": 20}})
        self.sources, self.settings, self.out = tiny.sources(folder / "teacher"), chosen, folder / "out"
        self.report = self.distil()
        self.loaded: LoadedArtifact = load_artifact(self.out)

    def distil(self, **changes: object) -> Report:
        chosen = self.settings if not changes else tiny.settings(**changes)
        return distill(self.sources, chosen, out=self.out, compute=tiny.cpu(), report=Silent())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


def test_the_artifact_carries_the_accuracy_of_every_number_of_students(made: Made) -> None:
    accuracy = made.loaded.manifest.accuracy
    assert accuracy is not None
    assert [entry.students for entry in accuracy.by_k] == [1, 2, 3]
    assert accuracy.rows_evaluated == made.report.data.test
    assert accuracy.teacher is not None
    assert accuracy.by_k[-1].accuracy > 0.8
    assert accuracy.by_k[-1].agreement == 1.0


def test_the_reported_accuracy_is_what_the_loaded_artifact_gives(made: Made) -> None:
    test = made_test_rows(made)
    corpus = encode(made.loaded.tokenizer, made.loaded.grid, [row.text for row in test], 16)
    logits = made.loaded.grid(corpus.batch(range(len(test)))).prefix_logits
    right = (logits.argmax(-1) == label_indices(made.loaded.grid.labels, test)).double().mean(1)
    assert made.loaded.manifest.accuracy is not None
    assert right.tolist() == pytest.approx([entry.accuracy for entry in made.loaded.manifest.accuracy.by_k])


def made_test_rows(made: Made) -> tuple[Row, ...]:
    return prepare(made.sources.rows, made.settings.split).parts.test


def test_ramps_agree_with_the_full_depth_for_every_number_of_students(made: Made) -> None:
    readings = made.report.measured.ramps
    assert [(reading.row, reading.students) for reading in readings] == [(0, 1), (0, 2), (0, 3)]
    labels = [row.label for row in made_test_rows(made)]
    majority = max(labels.count(label) for label in tiny.CLUES)
    for reading in readings:
        assert reading.agreement > majority / made.report.data.test + 0.1


def test_ramp_features_are_pooled_as_the_grid_pools() -> None:
    states, mask = torch.randn(2, 3, 5, 4), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]).bool()
    batch = Batch(ids=torch.zeros(3, 5, dtype=torch.long), mask=mask)
    for pooling in ("mean", "cls"):
        torch.testing.assert_close(pooled(states, mask, pooling), pool(states.flatten(1, 2), batch, pooling))


def test_another_configuration_does_not_overwrite_unless_forced(made: Made) -> None:
    with pytest.raises(OutputError, match=r"holds another artifact; .*--force"):
        made.distil(seed=5)
    assert load_artifact(made.out).digest == made.report.digest


def test_a_folder_with_other_files_is_never_overwritten(made: Made, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no artifact; choose another folder"):
        distill(made.sources, made.settings, out=tmp_path, compute=tiny.cpu(), report=Silent(), force=True)


def test_what_somebody_put_beside_an_artifact_is_never_deleted_with_it(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.out, tmp_path / "out")
    check_output(tmp_path / "out", "another run's", force=True)
    (tmp_path / "out" / ".git").mkdir()
    for mark in (made.report.fingerprint, "another run's"):
        with pytest.raises(OutputError, match=r"holds '\.git' beside an artifact; move it away, or choose another"):
            check_output(tmp_path / "out", mark, force=True)


def tenant_rows() -> Dataset:
    """The tenant has other texts and other labels: places and things."""
    made = tiny.rows(count=400, seed=3)
    return Dataset("tenant", tuple(Row(row.text, "place" if row.label == "city" else "thing") for row in made))


def adapted(made: Made, out: Path) -> Report:
    chosen = parse_settings(AdaptSettings, ADAPT)
    return adapt(made.out, tenant_rows(), chosen, out=out, compute=tiny.cpu(), report=Silent())


def test_an_adapter_learns_labels_of_its_own_for_every_number_of_students(made: Made, tmp_path: Path) -> None:
    report = adapted(made, tmp_path / "adapter")
    loaded = load_adapter(tmp_path / "adapter", digest=report.digest, base=made.report.digest)
    assert loaded.weights.labels == ("place", "thing")
    share = sum(row.label == "thing" for row in tenant_rows().rows) / 400
    accuracy = loaded.manifest.accuracy
    assert accuracy is not None
    assert [entry.students for entry in accuracy.by_k] == [1, 2, 3]
    assert all(entry.low > share for entry in accuracy.by_k)
    assert load_artifact(made.out).digest == made.report.digest  # the base is untouched
    assert "Adapter of tenant" in (tmp_path / "adapter" / "report" / "index.html").read_text()
    saved = read_report(tmp_path / "adapter")
    assert saved is not None
    assert saved.measured == report.measured


def test_an_adapter_of_the_same_rows_and_seed_is_the_same(made: Made, tmp_path: Path) -> None:
    assert adapted(made, tmp_path / "a").digest == adapted(made, tmp_path / "b").digest


def test_an_untrained_delta_leaves_the_base_states_alone(made: Made) -> None:
    adapter = LoraAdapter(made.loaded.grid.geometry, ("x", "y"), rank=2, alpha=4.0)
    batch = encode(made.loaded.tokenizer, made.loaded.grid, ["the cat is near"], 16).batch([0])
    plain, tenant = made.loaded.grid(batch), made.loaded.grid(batch, adapter=adapter)
    torch.testing.assert_close(plain.pooled, tenant.pooled)


@given(st.integers(1, 8), st.integers(0, 5), st.integers(0, 5), st.integers(0, 999))
def test_batches_draw_a_number_of_students_within_bounds(students: int, seed: int, epoch: int, row: int) -> None:
    k = drawn_students([row], students=students, seed=seed, epoch=epoch)
    assert 1 <= k <= students
    assert k == drawn_students([row], students=students, seed=seed, epoch=epoch)


def test_all_numbers_of_students_are_drawn() -> None:
    assert {drawn_students([row], students=4, seed=0, epoch=0) for row in range(100)} == {1, 2, 3, 4}
