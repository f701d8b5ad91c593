"""One cell: `python -m bench.cpu.child SCALE INDEX OUT` measures it and writes its figures as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from bench.cpu import latency, throughput
from bench.cpu.contenders import contenders
from bench.cpu.errors import errors
from bench.cpu.scale import SCALES, Cell, Scale
from bench.cpu.subject import accuracy, read_subject
from bench.record import Figure


def measure(scale: Scale, cell: Cell, folder: Path) -> dict[str, Figure]:
    """All figures of a cell; `folder` is for files that nobody needs afterwards."""
    torch.set_num_threads(cell.threads)
    subject = read_subject(cell, made_up=folder if scale.made_up else None)
    rivals = contenders(subject, cell.threads)
    rows = subject.teacher.geometry.rows
    figures = {f"{cell}:rows": Figure(value=rows, low=rows, high=rows, unit="rows")}
    figures |= accuracy(cell, subject) | errors(cell, subject, rivals)
    figures |= latency.measure(scale, cell, subject.ids, rivals)
    return figures | throughput.measure(scale, cell, subject.ids, rivals)


def main(scale: str, index: int, out: Path) -> None:
    """Measure the cell of a scale."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(SCALES[scale], SCALES[scale].cells[index], Path(folder))
    out.write_text(json.dumps({key: asdict(figure) for key, figure in figures.items()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
