"""The classification head that a checkpoint brings, and which of its outputs answers which label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import Tensor

from phalanx_grid.checkpoint_config import Config, read_config
from phalanx_grid.checkpoint_tensors import read_tensors
from phalanx_grid.families import FAMILIES
from phalanx_grid.geometry import Family


@dataclass(frozen=True, slots=True)
class CheckpointHead:
    """`classes` outputs, and what config.json's id2label calls each; `labels` is empty where it does not tell all."""

    classes: int
    labels: tuple[str, ...]

    def order(self, labels: Sequence[str]) -> tuple[int, ...] | None:
        """For each of `labels` the output that answers it; None unless both are the same names, one for one.

        Names are compared as they are, then, if these differ, without regard to case and white space. No labels at all
        stand for the outputs as they are.
        """
        if not labels:
            return tuple(range(self.classes))
        for seen in (str, _plain):
            outputs = {seen(label): output for output, label in enumerate(self.labels)}
            wanted = [seen(label) for label in labels]
            if sorted(outputs) == sorted(wanted):
                return tuple(outputs[label] for label in wanted)
        return None


def read_head(directory: Path | str) -> CheckpointHead | None:
    """The head of a checkpoint; None for a plain encoder.

    Raises:
        CheckpointError: a file is missing, damaged, or beyond what a grid can express.
    """
    return head_of(read_config(Path(directory)), read_tensors(Path(directory)))


def head_of(config: Config, tensors: Mapping[str, Tensor]) -> CheckpointHead | None:
    """The head among a checkpoint's tensors; None if there is none."""
    weight = tensors.get(FAMILIES[cast(Family, config.model_type)].head + ".weight")
    if weight is None:
        return None
    classes = weight.shape[0]
    whole = len(set(config.labels)) == len(config.labels) == classes and all(config.labels)
    return CheckpointHead(classes=classes, labels=config.labels if whole else ())


def _plain(label: str) -> str:
    return " ".join(label.split()).casefold()
