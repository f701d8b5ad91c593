"""What cannot become an artifact's folder is refused before hours of training, and what is no report counts as none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pytest

from phalanx_distill.errors import OutputError
from phalanx_distill.output import check_output
from phalanx_distill.report.document import FILE, read_report, write_report
from tests.distill.reports import adapter_report


@pytest.mark.parametrize("out", [".", "..", "below/..", "/"])
def test_a_folder_without_a_name_of_its_own_is_refused(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=r"choose a folder in it, such as .*artifact"):
        check_output(Path(out), "f" * 64, force=True)


def test_a_mount_point_is_refused_for_nothing_can_take_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_output(tmp_path, "f" * 64, force=False)
    monkeypatch.setattr("os.path.ismount", lambda path: path == tmp_path)
    with pytest.raises(OutputError, match=r"choose a folder in it, such as .*artifact"):
        check_output(tmp_path, "f" * 64, force=False)


def test_a_report_is_on_the_disk_before_it_tells_that_a_run_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = dict[int, bool]()

    def sync(file: IO[bytes]) -> None:
        assert os.fstat(file.fileno()).st_size > 0
        synced[os.fstat(file.fileno()).st_ino] = (tmp_path / FILE).exists()

    monkeypatch.setattr("os.fsync", sync)
    write_report(tmp_path, adapter_report())
    assert synced == {(tmp_path / FILE).stat().st_ino: False}


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind":"\xff"}', b'{"settings":{"x":' + b"[" * 100_000])
def test_what_cannot_be_read_as_a_report_counts_as_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(data)
    assert read_report(tmp_path) is None
