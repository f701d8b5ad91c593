"""All cells, one process after the other, and what is made of them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.cpu.plot import plot
from bench.cpu.report import show
from bench.cpu.scale import SCALES, Cell
from bench.cpu.subject import digests
from bench.record import RESULTS, Figure, write

ROOT: Final = Path(__file__).parents[2]
TRIALS: Final = ROOT / ".cache" / "bench"
"""Where a quick run writes: nothing here is committed, or read by the documentation."""


def main(arguments: Sequence[str], trials: Path = TRIALS) -> Path:
    """Run what the arguments choose, and return the result's path. Exits with 1 if a cell failed."""
    parser = argparse.ArgumentParser(prog="python -m bench cpu", description="Ensembles against teachers on a CPU.")
    parser.add_argument("--quick", action="store_true", help="tiny random encoders: shows in seconds that it works")
    quick = parser.parse_args(arguments).quick
    scale, console = "quick" if quick else "full", Console()
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        for index, cell in enumerate(SCALES[scale].cells):
            console.print(f"[bold]{cell}[/bold] ({index + 1} of {len(SCALES[scale].cells)})")
            figures |= _measured(scale, index, cell, Path(folder))
    show(figures, console)
    if quick:
        trials.mkdir(parents=True, exist_ok=True)
        path = write("cpu_quick", figures, folder=trials)
        plot(path, trials / "cpu.png")
        return path
    path = write("cpu", figures, folder=RESULTS, distilled=digests(SCALES[scale].cells))
    plot(path, ROOT / "docs" / "img" / "cpu.png")
    return path


def _measured(scale: str, index: int, cell: Cell, folder: Path) -> dict[str, Figure]:
    """The figures of one cell. Threads and their way of waiting are read once in a process, so each gets its own."""
    out = folder / f"{index}.json"
    environment = {
        **os.environ, "OMP_NUM_THREADS": str(cell.threads), "MKL_NUM_THREADS": str(cell.threads),
        "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    command = [sys.executable, "-m", "bench.cpu.child", scale, str(index), str(out)]
    if subprocess.run(command, env=environment, check=False, cwd=ROOT).returncode:
        sys.exit(f"{cell} failed; what it says stands above")
    return {key: Figure(**figure) for key, figure in json.loads(out.read_text()).items()}
