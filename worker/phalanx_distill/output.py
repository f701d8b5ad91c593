"""The output folder: whether it may be written, and whether what is asked for is already in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from phalanx_distill.errors import OutputError
from phalanx_distill.progress import Reporter
from phalanx_distill.report.document import FILE, Report, read_report
from phalanx_distill.report.write import PAGE, ensure_page
from phalanx_grid import ArtifactError, read_manifest, verify_artifact
from phalanx_grid.manifest import MANIFEST

_BESIDE: Final = frozenset({MANIFEST, FILE, f"{FILE}.part", PAGE.parts[0]})
"""What a run leaves in the folder beside the files that its manifest names."""


def done_before(out: Path, fingerprint: str, *, force: bool, report: Reporter) -> Report | None:
    """What an earlier run of the same left at `out`; None if it is to be done.

    Asked before anything is loaded, and again once the folder is locked: another run may have ended meanwhile.

    Raises:
        OutputError: as `check_output`.
    """
    done = finished(out, fingerprint)
    if done is None:
        check_output(out, fingerprint, force=force)
        return None
    report.say(f"{out} is up to date")
    ensure_page(out, done)
    return done


def finished(out: Path, fingerprint: str) -> Report | None:
    """The report of a finished and undamaged run with this fingerprint, or None."""
    report = read_report(out)
    if report is None or report.fingerprint != fingerprint:
        return None
    try:
        verify_artifact(out, report.digest)
    except ArtifactError:
        return None
    return report


def check_output(out: Path, fingerprint: str, *, force: bool) -> None:
    """Refuse to overwrite anything but an earlier result of the same run.

    Raises:
        OutputError: the folder holds other files, or another artifact and `force` is false, or it cannot be replaced.
    """
    if out.name in ("", "..") or os.path.ismount(out):
        # The artifact is made beside it and takes its name; snapshots lie beside it, too.
        raise OutputError(
            f"{out} cannot be put in place by its name; choose a folder in it, such as {out / 'artifact'}"
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        manifest, _ = read_manifest(out)
    except ArtifactError as error:
        raise OutputError(f"{out} holds something that is no artifact; choose another folder") from error
    if manifest.provenance.get("fingerprint") != fingerprint and not force:
        raise OutputError(f"{out} holds another artifact; choose another folder, or replace it with --force")
    strange = sorted({path.name for path in out.iterdir()} - manifest.files.keys() - _BESIDE)
    if strange:  # the folder is replaced as a whole
        raise OutputError(f"{out} holds {strange[0]!r} beside an artifact; move it away, or choose another folder")


def work_dir(out: Path) -> Path:
    """Where a run keeps its snapshots: beside its output."""
    return out.with_name(f"{out.name}.work")
