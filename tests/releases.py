"""The previous release, as its users have it: a chart, and a wheel that holds the code of its images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.binaries import REPOSITORY

FOLDER: Final = REPOSITORY / "tests" / "data" / "releases"


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """`version` is also the tag of its images. Python imports from `wheel` as from a folder."""

    version: str
    chart: Path
    wheel: Path


def previous() -> Release:
    """The one that tests/data/releases holds."""
    (folder,) = (path for path in FOLDER.iterdir() if path.is_dir())
    (chart,), (wheel,) = folder.glob("*.tgz"), folder.glob("*.whl")
    return Release(version=folder.name, chart=chart, wheel=wheel)
