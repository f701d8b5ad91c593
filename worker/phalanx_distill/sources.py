"""From what a user names (a packaged encoder or set, a folder, a file) to a checkpoint and rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phalanx_distill.data import Dataset, read_rows
from phalanx_distill.errors import DataError, WeightsError
from phalanx_distill.packaged import ENCODERS, SETS, encoder_dir, packaged_rows
from phalanx_distill.packaged.encoders import file_sha256
from phalanx_distill.stages import fingerprint
from phalanx_grid import CHECKPOINT_CONFIGURATION, CheckpointHead, read_head
from phalanx_grid.checkpoint_tensors import TO_SAFETENSORS


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder on disk: the name that reports show, its folder, the sha256 of its weights, and the head it brings.

    `configuration` stands for what else is read of a folder, above all the tokenizer: the same weights answer otherwise
    with another one. None for packaged encoders, of which the weights tell all.
    """

    name: str
    folder: Path
    sha256: str
    configuration: str | None = None
    head: CheckpointHead | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is distilled on what: an encoder, labelled rows, and unlabelled texts."""

    teacher: Checkpoint
    rows: Dataset
    unlabelled: tuple[str, ...] = ()


def find_checkpoint(name: str) -> Checkpoint:
    """A packaged encoder by name, else a checkpoint folder.

    Raises:
        NotInstalledError: a packaged encoder whose package is missing.
        WeightsError: neither a known name nor a folder with safetensors weights, or weights with another hash.
        CheckpointError: the folder's files are damaged, or beyond what a grid can express.
    """
    if name in ENCODERS:
        return Checkpoint(name=name, folder=encoder_dir(name), sha256=ENCODERS[name].sha256)
    folder = Path(name)
    if not folder.is_dir():
        raise WeightsError(f"{name}: no such folder, and none of {', '.join(ENCODERS)}; give a checkpoint's folder")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise WeightsError(f"{name}: no .safetensors file in it; {TO_SAFETENSORS}")
    digests = [file_sha256(path) for path in weights]
    said = {name: file_sha256(folder / name) for name in CHECKPOINT_CONFIGURATION if (folder / name).is_file()}
    return Checkpoint(
        name=folder.resolve().name,
        folder=folder,
        sha256="+".join(digests),
        configuration=fingerprint(files=said),
        head=read_head(folder),
    )


def find_rows(name: str, *, text_column: str = "text", label_column: str = "label") -> Dataset:
    """A packaged data set by name, else the rows of a file.

    Raises:
        NotInstalledError: a packaged set whose package is missing.
        DataError: neither a known name nor a readable file of rows.
    """
    if name in SETS:
        return packaged_rows(name)
    path = Path(name)
    if not path.exists() and not path.suffix:
        raise DataError(f"{name}: no such file, and none of {', '.join(SETS)}; give a .jsonl or .csv file")
    return read_rows(path, text_column=text_column, label_column=label_column)
