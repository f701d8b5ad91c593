"""Calibration: whether answers given with a confidence of p are right in a share p of all cases."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

BINS: Final = 15
"""Bins of equal width over [0, 1], as Guo et al. 2017 (arXiv 1706.04599) have them."""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Answers whose confidence lies in one bin: how many, their mean confidence, and the share that is right."""

    rows: Annotated[int, Meta(ge=1)]
    confidence: float
    right: float


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """One predictor: k students, or the teacher where `students` is 0. Empty bins are left out."""

    students: int
    bins: Annotated[tuple[Bin, ...], Meta(min_length=1)]

    @property
    def rows(self) -> int:
        """All answers."""
        return sum(entry.rows for entry in self.bins)

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of confidence and share, by rows (Guo et al. 2017, eq. 3)."""
        return sum(entry.rows * abs(entry.confidence - entry.right) for entry in self.bins) / self.rows

    @property
    def confidence(self) -> float:
        """Mean confidence."""
        return sum(entry.rows * entry.confidence for entry in self.bins) / self.rows

    @property
    def right(self) -> float:
        """Share of right answers."""
        return sum(entry.rows * entry.right for entry in self.bins) / self.rows


def reliability(logits: Tensor, expected: Tensor, *, students: int) -> Reliability:
    """Bin the answers to N > 0 rows: logits [N, C] against class indices [N]."""
    confidence, answers = logits.double().softmax(-1).max(-1)
    right = (answers == expected).double()
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    rows = torch.bincount(place, minlength=BINS)
    sums = torch.bincount(place, weights=confidence, minlength=BINS)
    hits = torch.bincount(place, weights=right, minlength=BINS)
    bins = tuple(
        Bin(rows=int(rows[at]), confidence=float(sums[at] / rows[at]), right=float(hits[at] / rows[at]))
        for at in range(BINS)
        if rows[at]
    )
    return Reliability(students=students, bins=bins)
