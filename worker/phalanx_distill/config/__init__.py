"""Every setting of distillation and adaptation, with its unit, default and reason.

    base        bounds, and the settings of one training run
    students    the students: shape, targets, weights
    training    the split, the teacher, transfer text, ramps
    parse       from plain data

The defaults are for an encoder of MiniLM's size and a few thousand rows on two CPU cores. All of it is part of a run's
fingerprint: another value is another run. Paths are not: rows and weights count by content.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from phalanx_distill.config.base import Fitting, Seed, Settings, Tokens
from phalanx_distill.config.parse import parse_settings
from phalanx_distill.config.students import AutoSettings, JointSettings, RowsFrom, StudentFitting, StudentSettings
from phalanx_distill.config.training import RampSettings, SplitSettings, TeacherSettings, TransferSettings

__all__ = [
    "AdaptSettings",
    "AutoSettings",
    "DistillSettings",
    "Fitting",
    "JointSettings",
    "RampSettings",
    "RowsFrom",
    "SplitSettings",
    "StudentFitting",
    "StudentSettings",
    "TeacherSettings",
    "TransferSettings",
    "parse_settings",
]


class DistillSettings(Settings, frozen=True, kw_only=True):
    """All of `phalanx distill`."""

    seed: Seed = 0
    """Seeds the heads, the order of rows and the made-up texts."""
    max_tokens: Tokens = 128
    """Longer texts are cut, in training and measuring alike."""
    split: SplitSettings = SplitSettings()
    teacher: TeacherSettings = TeacherSettings()
    transfer: TransferSettings = TransferSettings()
    students: StudentSettings = StudentSettings()
    ramps: RampSettings = RampSettings()


class AdaptSettings(Settings, frozen=True, kw_only=True):
    """All of `phalanx adapt`: a low-rank adapter and a head of its own on a frozen grid."""

    seed: Seed = 0
    """Seeds adapter, head and the order of rows."""
    max_tokens: Tokens = 128
    """Longer texts are cut, in training and measuring alike."""
    split: SplitSettings = SplitSettings()
    rank: Annotated[int, Meta(ge=1, le=256)] = 8
    """Rank of the update of each adapted matrix."""
    alpha: Annotated[float, Meta(gt=0.0, le=1024.0)] = 16.0
    """The update counts alpha / rank."""
    fit: Fitting = Fitting(epochs=4, batch_rows=32, learning_rate=2e-3)
