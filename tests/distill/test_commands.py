"""The commands say in one line what is wrong, and show what an artifact holds."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors import SafetensorError

from demo.distil import SETTINGS
from phalanx_cli.exit_codes import INTERRUPTED
from phalanx_cli.main import main
from phalanx_cli.training import merged
from phalanx_contract.limits import ADAPTER_RANK
from phalanx_distill.config import DistillSettings, parse_settings
from phalanx_distill.errors import SettingError
from phalanx_distill.students import fitting
from phalanx_grid import import_checkpoint, save_artifact
from tests.distill import tiny


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    tiny.write_checkpoint(folder / "teacher")
    tiny.write_rows(folder / "rows.jsonl", tiny.rows())
    (folder / "list.yaml").write_text("- 1\n")
    (folder / "number.yaml").write_text("1: 2\n")
    (folder / "flat.yaml").write_text("students: 4\n")
    (folder / "few.jsonl").write_text('{"text": "a", "label": "x"}\n')
    (folder / "pickled").mkdir()
    (folder / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x02")
    return folder


BAD = [
    ({"--teacher": "nowhere"}, r"nowhere: no such folder, and none of minilm, mpnet; give a checkpoint's folder"),
    (
        {"--teacher": "{here}/pickled"},
        r"pickled: no \.safetensors file in it; pickled weights are never read; save them as safetensors by",
    ),
    ({"--data": "nothing"}, r"nothing: no such file, and none of trec6, trec50, .*; give a \.jsonl or \.csv file"),
    ({"--data": "{here}/none.csv"}, r"none\.csv: No such file"),
    ({"--data": "{here}/few.jsonl"}, r"a classifier needs two labels; the data have x"),
    ({"--text-column": "body"}, r"rows\.jsonl:1: no column 'body' \(there: text, label\)"),
    ({"--set": "teacher.fit.epoch=3"}, r"teacher\.fit\.epoch: no such setting; there are epochs, batch_rows, "),
    ({"--settings": "{here}/number.yaml"}, r"1: no such setting; there are seed, max_tokens, "),
    ({"--settings": "{here}/flat.yaml", "--students": "3"}, r"students\.count: students was given a value already"),
    ({"--rows": "9"}, r"students\.rows: 9, but the teacher has 3; take fewer"),
    ({"--set": "students.fit.epochs=0"}, r"students\.fit\.epochs: Expected `int` >= 1"),
    ({"--set": "teacher.fit.epochs=0"}, r"teacher\.fit\.epochs: 0 takes .* take 1 or more: teacher brings no head"),
    ({"--set": "students.rows_from=0,2"}, r"students\.rows_from: rows \[2, 3\] of a teacher that has 0\.\.2"),
    ({"--set": "students.rows_from=[[0],[1]]"}, r"students\.rows_from: 1 rows for a student of 2: \[0\]"),
    ({"--set": "students.rows_from=[[0"}, r"--set students\.rows_from=\[\[0: not YAML"),
    ({"--set": "transfer.sources=news"}, r"transfer\.sources\[0\]: Invalid enum value 'news'"),
    ({"--settings": "{here}/none.yaml"}, r"none\.yaml: No such file"),
    ({"--settings": "{here}/list.yaml"}, r"list\.yaml: settings are a mapping, such as students: \{count: 4\}"),
    ({"--precision": "fp8"}, r"precision: 'fp8' is none of auto, fp32, bf16"),
    ({"--set": "students.weight=best"}, r"students\.weight: Invalid enum value 'best'"),
    ({"--set": "epochs"}, r"--set epochs: write NAME=VALUE"),
    ({"--device": "tpu"}, r"device: 'tpu' is none of auto, cpu, cuda"),
    ({"--students": "99"}, r"students\.count: Expected `int` <= 32"),
    ({"--accuracy-budget": "0.02"}, r"--accuracy-budget decides between shapes: add --students auto or --rows auto"),
    ({"--students": "many"}, r"Invalid value for '--students': 'many' is neither a number from 1 on nor auto"),
    ({"--unlabelled": "{here}/texts.txt"}, r"texts\.txt: No such file"),
]


@pytest.mark.parametrize(("change", "says"), BAD, ids=[" ".join(change) + f" {i}" for i, (change, _) in enumerate(BAD)])
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(here: Path, change: dict[str, str], says: str) -> None:
    options = {"--teacher": "{here}/teacher", "--data": "{here}/rows.jsonl", "--out": "{here}/never", **change}
    result = call("distill", *(part.format(here=here) for pair in options.items() for part in pair))
    assert result.exit_code in (1, 2)
    last = result.output.strip().splitlines()[-1]
    assert re.search(says, last), result.output
    assert not (here / "never").exists()
    assert not (here / "never.work").exists()


def test_an_imported_checkpoint_can_be_inspected_and_a_tampered_one_is_refused_by_file(here: Path) -> None:
    out = here / "imported"
    first = call("import", "--checkpoint", here / "teacher", "--out", out)
    assert first.exit_code == 0, first.output
    digest = first.output.split()[-1]
    again = call("import", "--checkpoint", here / "teacher", "--out", out)
    assert again.output.split()[-1] == digest
    shown = call("inspect", out, "--digest", digest)
    assert shown.exit_code == 0
    for expected in ("ensemble, embedding", "1 students x 3 rows, bert", "hidden 16", "grid.safetensors", digest):
        assert expected in shown.output
    other = call("inspect", out, "--digest", "sha256:" + "0" * 64)
    assert other.exit_code == 1
    assert f"the artifact has digest {digest}" in other.output
    tampered = here / "tampered"
    shutil.copytree(out, tampered)
    weights = tampered / "grid.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    refused = call("inspect", tampered)
    assert refused.exit_code == 1
    assert refused.output.strip() == "Error: grid.safetensors: differs from the digest in the manifest"


def test_labels_and_paths_in_brackets_are_shown_as_they_are(here: Path, tmp_path: Path) -> None:
    grid, tokenizer = import_checkpoint(here / "teacher", classes=2, labels=("[other]", "[/b]"))
    save_artifact(tmp_path / "[v2]", grid, tokenizer, provenance={})
    shown = call("inspect", tmp_path / "[v2]")
    assert shown.exit_code == 0, shown.output
    assert "[other], [/b]" in shown.output
    assert str(tmp_path / "[v2]") in shown.output


@pytest.mark.parametrize("error", [OSError(28, "No space left on device", "grid"), SafetensorError("I/O error: 28")])
def test_a_disk_that_fails_is_told_in_one_line(error: Exception, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("phalanx_distill.importing.save_artifact", fails)
    refused = call("import", "--checkpoint", here / "teacher", "--out", here / "full")
    assert refused.exit_code == 1
    assert refused.output.strip() == f"Error: {error}; once that is mended, give the same command again"


def test_ctrl_c_ends_a_command_with_130_while_it_is_still_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", pressed)
    result = call("inspect", "anything")
    assert (result.exit_code, result.output) == (INTERRUPTED, "interrupted\n")


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")])
def test_memory_that_runs_out_is_told_in_one_line_and_other_faults_keep_their_trace(
    error: Exception, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("phalanx_distill.importing.save_artifact", fails)
    asked = ("import", "--checkpoint", here / "teacher", "--out", here / "full")
    assert re.search(r"^Error: no memory is left; .* smaller batches", call(*asked).output.strip())
    error = RuntimeError("a fault of ours")
    with pytest.raises(RuntimeError, match="a fault of ours"):
        call(*asked)


def test_inspecting_nothing_says_that_there_is_nothing(tmp_path: Path) -> None:
    result = call("inspect", tmp_path)
    assert result.exit_code == 1
    assert "no artifact at" in result.output


def test_distil_adapt_and_inspect_from_the_command_line(here: Path) -> None:
    quick = ["--set", "teacher.fit.epochs=2", "--set", "students.fit.epochs=1", "--set", "ramps.fit.epochs=1"]
    rows = ["--data", here / "rows.jsonl", "--device", "cpu", "--seed", 3]
    made = call("distill", "--teacher", here / "teacher", *rows, "--students", 2, "--out", here / "ens", *quick)
    assert made.exit_code == 0, made.output
    assert "Accuracy on" in made.output
    tenant = call("adapt", "--base", here / "ens", *rows, "--rank", 2, "--out", here / "ten", "--set", "fit.epochs=1")
    assert tenant.exit_code == 0, tenant.output
    shown = call("inspect", here / "ten")
    assert "adapter" in shown.output
    assert "animal, city, colour" in shown.output
    wrong = call("adapt", "--base", here / "ten", *rows, "--out", here / "none")
    assert wrong.exit_code == 1
    assert "is not an ensemble" in wrong.output


def test_an_adapter_never_takes_the_place_of_its_base(here: Path, tmp_path: Path) -> None:
    call("import", "--checkpoint", here / "teacher", "--out", tmp_path / "base")
    (tmp_path / "link").symlink_to("base")
    rows = ["--data", here / "rows.jsonl", "--device", "cpu", "--set", "fit.epochs=1", "--force"]
    for out in (tmp_path / "base", tmp_path / "link"):
        refused = call("adapt", "--base", tmp_path / "base", *rows, "--out", out)
        assert refused.exit_code == 2
        assert "is the base" in refused.output
    assert "ensemble, embedding" in call("inspect", tmp_path / "base").output


@pytest.mark.parametrize(("rank", "warned"), [(ADAPTER_RANK, False), (ADAPTER_RANK + 1, True)])
def test_a_rank_that_workers_refuse_by_default_is_warned_of_before_anything_is_trained(
    here: Path, rank: int, warned: bool
) -> None:
    rows = ["--data", here / "rows.jsonl", "--device", "cpu"]
    result = call("adapt", "--base", here / "nowhere", *rows, "--rank", rank, "--out", here / "none")
    assert result.exit_code == 1
    assert ("PHALANX_WORKER_ADAPTER_RANK" in result.output) is warned


def test_settings_come_together_from_paths_and_options() -> None:
    nested = merged(("teacher.fit.epochs=5", "students.rows_from=0,2"), {"students.count": 3, "seed": None})
    parsed = parse_settings(DistillSettings, nested)
    assert (parsed.teacher.fit.epochs, parsed.students.rows_from, parsed.students.count) == (5, (0, 2), 3)
    assert parsed.teacher.fit.learning_rate == DistillSettings().teacher.fit.learning_rate


def test_options_overrule_single_settings_and_these_a_file_of_them(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("seed: 7\nstudents: {count: 2, rows: 1, rows_from: [[0], [2]]}\ntransfer: {sources: [sets]}\n")
    nested = merged(("students.rows=2", "students.rows_from=[[0, 1], spread]"), {"students.count": "auto"}, file)
    parsed = parse_settings(DistillSettings, nested)
    assert (parsed.seed, parsed.students.count, parsed.students.rows) == (7, "auto", 2)
    assert (parsed.students.rows_from, parsed.transfer.sources) == (((0, 1), "spread"), ("sets",))


def test_a_setting_of_the_wrong_type_is_refused_by_path() -> None:
    with pytest.raises(SettingError, match=r"teacher\.fit\.learning_rate: Expected `float`"):
        parse_settings(DistillSettings, {"teacher": {"fit": {"learning_rate": "fast"}}})


def test_the_demos_settings_are_known_and_make_later_students_quicker() -> None:
    chosen = parse_settings(DistillSettings, merged(SETTINGS, {})).students
    assert fitting(chosen, 1, 384).epochs < fitting(chosen, 0, 384).epochs
