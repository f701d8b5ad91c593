"""What a cell is about: an encoder, ensembles of it, and held-out texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cpu import made_up as invented
from bench.cpu.scale import PAPER, Cell
from bench.record import Figure
from phalanx_distill.config import SplitSettings
from phalanx_distill.packaged import encoder_dir, packaged_rows
from phalanx_distill.prepare import prepare
from phalanx_grid import Grid, LoadedArtifact, Tokenizer, cut, import_checkpoint, load_artifact, read_manifest, stack

BENCH: Final = Path(__file__).parents[2] / ".cache" / "bench"
DISTILLED: Final = BENCH / "accuracy"
"""Where `python -m bench accuracy` keeps its runs."""
EXPORTED: Final = BENCH / "onnx"


@dataclass(frozen=True, slots=True)
class Subject:
    """A checkpoint and its grid with a fresh head, held-out texts as token ids, what was distilled for them if it was.

    `exported` is where its ONNX files are kept.
    """

    checkpoint: Path
    teacher: Grid
    ids: tuple[tuple[int, ...], ...]
    distilled: LoadedArtifact | None
    exported: Path

    def ensembles(self) -> dict[str, Grid]:
        """Grids in fp32 by their shape, `KxL`: the paper's, and the distilled one's."""
        paper = cut_ensemble(self.teacher, *PAPER)
        found = [paper] if self.distilled is None else [paper, self.distilled.grid]
        return {shape(grid): grid for grid in found}  # one that was distilled in the paper's shape takes its place


def read_subject(cell: Cell, *, made_up: Path | None = None) -> Subject:
    """The subject of a cell; `made_up` is a folder to write a random encoder to, in place of the packaged one."""
    if made_up is not None:
        invented.write_checkpoint(made_up / cell.encoder, family=cell.encoder.removeprefix("tiny-"))
        teacher, tokenizer = import_checkpoint(made_up / cell.encoder, classes=3, labels=tuple("abc"))
        return Subject(made_up / cell.encoder, teacher.eval(), _ids(tokenizer, invented.texts()), None, made_up)
    parts = prepare(packaged_rows(cell.task), SplitSettings()).parts
    folder = encoder_dir(cell.encoder)
    teacher, tokenizer = import_checkpoint(folder, classes=len(parts.labels), labels=parts.labels)
    ids = _ids(tokenizer, [row.text for row in parts.test])
    return Subject(folder, teacher.eval(), ids, distilled(cell.encoder, cell.task), EXPORTED / cell.encoder)


def distilled(encoder: str, task: str, folder: Path = DISTILLED) -> LoadedArtifact | None:
    """What was distilled for an encoder and a task, or None."""
    run = distilled_run(encoder, task, folder)
    return None if run is None else load_artifact(run)


def distilled_run(encoder: str, task: str, folder: Path = DISTILLED) -> Path | None:
    """The folder of the finished run with the lowest seed, or None."""
    return min((path.parent for path in folder.glob(f"{encoder}-{task}-*/manifest.json")), default=None)


def digests(cells: Iterable[Cell]) -> dict[str, str]:
    """The digest of what was distilled for the cells, by encoder and task."""
    runs = {f"{cell.encoder}:{cell.task}": distilled_run(cell.encoder, cell.task) for cell in cells}
    return {subject: read_manifest(run)[1] for subject, run in runs.items() if run is not None}


def cut_ensemble(teacher: Grid, students: int, rows: int) -> Grid:
    """Students of every so-manieth row of a teacher: the shape of an ensemble, without its training."""
    spread = [row * teacher.geometry.rows // rows for row in range(rows)]
    return stack([cut(teacher, rows=spread) for _ in range(students)], [1.0] * students).eval()


def shape(grid: Grid) -> str:
    """`KxL`."""
    return f"{grid.geometry.students}x{grid.geometry.rows}"


def accuracy(cell: Cell, subject: Subject) -> dict[str, Figure]:
    """Held-out accuracy of the distilled ensemble by k and of its teacher, as its manifest has them."""
    if subject.distilled is None or (known := subject.distilled.manifest.accuracy) is None:
        return {}
    key = f"{cell.encoder}:{cell.task}:accuracy"
    found = {f"{key}:{shape(subject.distilled.grid)}_k{each.students}": each for each in known.by_k}
    figures = {name: Figure(value=m.accuracy, low=m.low, high=m.high, unit="share") for name, m in found.items()}
    if known.teacher is not None:
        teacher = known.teacher
        figures[f"{key}:teacher"] = Figure(value=teacher.accuracy, low=teacher.low, high=teacher.high, unit="share")
    return figures


def _ids(tokenizer: Tokenizer, texts: list[str]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(encoding.ids) for encoding in tokenizer.encode(texts))
