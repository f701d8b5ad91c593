"""All files of a report, report.json last: its presence says that a run is finished."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phalanx_distill.errors import OutputError
from phalanx_distill.report.document import Report, write_report
from phalanx_distill.report.page import NO_TEXTS, render

PAGE: Final = Path("report") / "index.html"
"""The page's place in an artifact's folder."""


def write_all(out: Path, report: Report) -> None:
    """Write `report/index.html` and `report.json` beside the artifact's own files."""
    (out / PAGE).parent.mkdir(parents=True, exist_ok=True)
    write_page(out / PAGE, report)
    write_report(out, report)


def check_page(path: Path | None) -> None:
    """Refuse a page that could not be written, before hours of training.

    Raises:
        OutputError: its folder is missing or may not be written to, or it is a folder itself.
    """
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path}: no file in an existing folder; choose another one for --report")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: its folder may not be written to; choose another one for --report")


def ensure_page(out: Path, report: Report) -> None:
    """Write `report/index.html` where a release without it made the artifact."""
    if not (out / PAGE).exists():
        (out / PAGE).parent.mkdir(parents=True, exist_ok=True)
        write_page(out / PAGE, report)


def write_page(path: Path, report: Report, texts: Mapping[int, str] = NO_TEXTS) -> None:
    """Write the page, whole or not at all; `texts` as for `render`.

    Raises:
        OutputError: it cannot be written there.
    """
    page = render(report, texts).encode()
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(page)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; choose another file for --report") from error
