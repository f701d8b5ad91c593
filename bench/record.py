"""The form of a result: `{name, commit, date, machine, command, figures: {key: {value, low, high, unit}}}`."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A measured value with the bounds of its spread (which spread, the benchmark's docstring says)."""

    value: float
    low: float
    high: float
    unit: str


def machine() -> str:
    """Processor, cores and memory in words; no host name."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        model = next((value.strip() for name, _, value in lines if name.strip() == "model name"), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit that was measured, with `-dirty` if the tree differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def write(
    name: str, figures: Mapping[str, Figure], *, folder: Path = RESULTS, device: str = "", **more: object
) -> Path:
    """Write one result and return its path.

    Another folder is for trials, `device` names what computed beside a CPU, and `more` stands beside the figures.
    """
    result = {
        "name": name,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{device}, {machine()}" if device else machine(),
        "command": f"python -m bench {name}",
        "figures": {key: asdict(figure) for key, figure in figures.items()},
        **more,
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=2) + "\n")
    part.replace(path)
    return path
