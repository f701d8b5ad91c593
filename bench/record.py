"""The form of a result: `{name, commit, date, machine, command, figures: {key: {value, low, high, unit}}}`."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from phalanx_distill.machine import machine

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A measured value with the bounds of its spread (which spread, the benchmark's docstring says)."""

    value: float
    low: float
    high: float
    unit: str


def commit() -> str:
    """The commit that is checked out, with `-dirty` if the tree differs from it in more than results and documentation,
    which a benchmark writes itself, or has modules that are in no commit. Ask before hours of measuring, not after."""
    described = _git("describe", "--always", "--abbrev=12")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":/!bench/results", ":/!docs")
    added = _git("ls-files", "--others", "--exclude-standard", "--", ":/*.py")
    return (described or "unknown") + ("-dirty" if changed or added else "")


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], check=False, capture_output=True, text=True).stdout.strip()


def write(
    name: str, figures: Mapping[str, Figure], *, folder: Path = RESULTS, device: str = "", **more: object
) -> Path:
    """Write one result and return its path.

    Another folder is for trials, `device` names what computed beside a CPU, and `more` stands beside the figures.
    """
    host = f"{machine()}, Python {platform.python_version()}"
    result = {
        "name": name,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{device}, {host}" if device else host,
        "command": f"python -m bench {name}",
        "figures": {key: asdict(figure) for key, figure in figures.items()},
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=2) + "\n")
    part.replace(path)
    return path
