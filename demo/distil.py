"""The first step: the artifact, made once and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from phalanx_grid import EnsembleManifest, read_manifest

SETTINGS: Final = ("students.later_epochs=1",)
"""What differs from the defaults, so that nobody waits long: later students see the transfer text once."""


def distil(out: Path, *, teacher: str, data: str, students: int) -> None:
    """Run `phalanx distill`; with an up-to-date artifact there it returns at once, and replaces an older one.

    Raises:
        subprocess.CalledProcessError: it failed; it has said why.
    """
    command = [sys.executable, "-m", "phalanx_cli", "distill", "--teacher", teacher, "--data", data]
    command += ["--students", str(students), "--out", str(out), "--force"]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    subprocess.run(command, check=True, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ})


def show_accuracy(console: Console, folder: Path) -> str:
    """Print what the artifact says of the teacher and of every k on held-out rows; returns its digest."""
    manifest, digest = read_manifest(folder)
    accuracy = manifest.accuracy if isinstance(manifest, EnsembleManifest) else None
    if accuracy is None:
        raise ValueError(f"{folder}: the artifact carries no accuracy; distil it again")
    table = Table(
        title=f"Held-out accuracy ({accuracy.rows_evaluated} rows of {accuracy.dataset})", title_justify="left"
    )
    for name in ("model", "accuracy", "95 % interval", "agrees with all students"):
        table.add_column(name, justify="left" if name == "model" else "right")
    if accuracy.teacher is not None:
        teacher = accuracy.teacher
        table.add_row("teacher", f"{teacher.accuracy:.3f}", f"{teacher.low:.3f} to {teacher.high:.3f}", "")
    for k in accuracy.by_k:
        interval = f"{k.low:.3f} to {k.high:.3f}"
        table.add_row(
            f"{k.students} of {len(accuracy.by_k)} students", f"{k.accuracy:.3f}", interval, f"{k.agreement:.3f}"
        )
    console.print(table)
    return digest
