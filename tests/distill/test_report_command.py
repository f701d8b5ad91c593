"""The page is written where it is asked for, and holds texts only if it was asked to."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from phalanx_cli.main import main
from phalanx_distill.config import SplitSettings
from phalanx_distill.data import Dataset
from phalanx_distill.errors import DataError, OutputError
from phalanx_distill.report.document import FILE, Report, read_report
from phalanx_distill.report.texts import differing_texts
from phalanx_distill.report.write import check_page
from tests.distill import tiny


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def distil(here: Path, *more: object) -> Result:
    """A run that is over in a second and learns too little to agree with its teacher."""
    sets = {
        "teacher.fit.epochs": 1,
        "teacher.fit.learning_rate": 0.002,
        "students.fit.epochs": 1,
        "students.fit.learning_rate": 1e-5,
        "transfer.neighbours": 0,
        "ramps.fit.epochs": 1,
    }
    options = [part for name, value in sets.items() for part in ("--set", f"{name}={value}")]
    source = ["--teacher", here / "teacher", "--data", here / "rows.jsonl", "--device", "cpu", "--students", 2]
    return call("distill", *source, "--out", here / "ens", *options, *more)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    tiny.write_checkpoint(folder / "teacher")
    tiny.write_rows(folder / "rows.jsonl", tiny.rows())
    made = distil(folder, "--report", folder / "first.html")
    assert made.exit_code == 0, made.output
    assert f"report: {folder / 'first.html'}" in made.output
    return folder


def test_a_page_in_a_folder_that_may_not_be_written_to_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(OutputError, match="its folder may not be written to; choose another one for --report"):
        check_page(tmp_path / "page.html")


@pytest.fixture
def report(here: Path) -> Report:
    found = read_report(here / "ens")
    assert found is not None
    return found


def test_a_run_records_what_its_page_shows(report: Report) -> None:
    notes = report.notes
    assert notes.detail is not None
    assert notes.cost is not None
    assert [price.students for price in notes.cost.prices] == [0, 1, 2]
    assert [entry.name for entry in notes.corpora] == ["transfer", "validation", "held out"]
    assert notes.transfer_sources["training rows"] == report.data.train
    assert sum(notes.transfer_sources.values()) == report.data.transfer
    assert notes.untaught is not None
    assert notes.untaught.validation > report.students[-1].validation_residual > 0
    assert [len(weights) for weights in notes.prefix_weights] == [1, 2]
    assert set(report.files) == {"grid.safetensors", "tokenizer.json"}
    assert notes.detail.differing, "the run has to differ from its teacher somewhere"


def test_the_page_stands_beside_the_artifact_and_where_it_is_asked_for(here: Path) -> None:
    page = (here / "ens" / "report" / "index.html").read_bytes()
    assert page.startswith(b"<!doctype html>")
    assert (here / "first.html").read_bytes() == page
    shown = call("inspect", here / "ens", "--report", here / "inspected.html")
    assert shown.exit_code == 0, shown.output
    assert (here / "inspected.html").read_bytes() == page


def test_an_artifact_that_is_up_to_date_still_gets_its_page(here: Path) -> None:
    (here / "ens" / "report" / "index.html").unlink()
    again = distil(here, "--report", here / "again.html")
    assert "is up to date" in again.output
    assert (here / "again.html").read_bytes() == (here / "first.html").read_bytes()
    assert (here / "ens" / "report" / "index.html").read_bytes() == (here / "first.html").read_bytes()


def test_texts_are_shown_only_on_the_page_that_was_asked_for_them(here: Path, report: Report) -> None:
    done = distil(here, "--report", here / "texts.html", "--show-texts")
    assert done.exit_code == 0, done.output
    detail = report.notes.detail
    assert detail is not None
    texts = differing_texts(report, Dataset("tiny", tiny.rows()), SplitSettings())
    assert len(texts) == len(detail.differing)
    kept = [here / "ens" / FILE, here / "ens" / "report" / "index.html", here / "first.html"]
    for text in texts.values():
        assert text in (here / "texts.html").read_text()
        assert not [path for path in kept if text in path.read_text()]


def test_texts_without_a_page_of_their_own_are_refused(here: Path) -> None:
    refused = distil(here, "--show-texts")
    assert refused.exit_code == 2
    assert "--show-texts: name a page by --report FILE" in refused.output


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_trained(here: Path) -> None:
    refused = distil(here, "--report", here / "no" / "page.html", "--out", here / "never")
    assert refused.exit_code == 1
    assert "no file in an existing folder; choose another one for --report" in refused.output
    assert not (here / "never").exists()
    assert not (here / "never.work").exists()


def test_texts_of_other_rows_are_refused(report: Report) -> None:
    other = Dataset("other", tiny.rows(seed=1))
    with pytest.raises(DataError, match="the report is about other rows"):
        differing_texts(report, other, SplitSettings())


def test_a_row_that_the_test_part_does_not_have_has_no_text(report: Report) -> None:
    detail = report.notes.detail
    assert detail is not None
    lost = msgspec.structs.replace(detail.differing[0], row=10_000)
    notes = msgspec.structs.replace(report.notes, detail=msgspec.structs.replace(detail, differing=(lost,)))
    changed = msgspec.structs.replace(report, notes=notes)
    assert differing_texts(changed, Dataset("tiny", tiny.rows()), SplitSettings()) == {}


def replaced(here: Path, out: Path, report: Report) -> Path:
    """A copy of the artifact with another report beside it."""
    shutil.copytree(here / "ens", out)
    (out / FILE).write_bytes(msgspec.json.encode(report))
    return out


def test_a_report_of_another_artifact_is_refused(here: Path, report: Report, tmp_path: Path) -> None:
    other = replaced(here, tmp_path / "ens", msgspec.structs.replace(report, digest="sha256:" + "0" * 64))
    refused = call("inspect", other, "--report", tmp_path / "page.html")
    assert refused.exit_code == 1
    assert "report.json is of another artifact" in " ".join(refused.output.split())
    assert not (tmp_path / "page.html").exists()


def test_a_report_that_does_not_add_up_is_refused(here: Path, report: Report, tmp_path: Path) -> None:
    measured = msgspec.structs.replace(report.measured, pairs=report.measured.pairs[:1])
    other = replaced(here, tmp_path / "ens", msgspec.structs.replace(report, measured=measured))
    refused = call("inspect", other, "--report", tmp_path / "page.html")
    assert refused.exit_code == 1
    assert "does not tell all of every number of students" in " ".join(refused.output.split())


def test_an_artifact_without_a_report_says_who_writes_one(here: Path, tmp_path: Path) -> None:
    imported = call("import", "--checkpoint", here / "teacher", "--out", tmp_path / "plain")
    assert imported.exit_code == 0, imported.output
    refused = call("inspect", tmp_path / "plain", "--report", tmp_path / "page.html")
    assert refused.exit_code == 1
    assert "is missing or cannot be read; distill and adapt write it" in " ".join(refused.output.split())
