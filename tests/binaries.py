"""Where the programs are that tests run: fetched ones first, then those on PATH."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FETCHED: Final = REPOSITORY / ".cache" / "tools" / "bin"


def find(name: str) -> Path | None:
    """The program, or None."""
    found = shutil.which(str(FETCHED / name)) or shutil.which(name)
    return Path(found) if found else None


def need(name: str, hint: str) -> Path:
    """The program; without it, the test is skipped and the line says how to get it."""
    found = find(name)
    if found is None:
        pytest.skip(f"no {name}: {hint}")
    return found
