"""What early exits cost: texts leave at the first ramp whose score 1 - confidence lies below a threshold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import torch
from torch import Tensor

from phalanx_contract.metrics import SCORE_BUCKETS


class ExitReading(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold at all ramps, with k students.

    `left[r]` is the share of rows that leave at ramp r; accuracy, and agreement with k students at full depth, are over
    all rows, those that leave and those that stay.
    """

    students: int
    threshold: float
    left: tuple[float, ...]
    accuracy: float
    agreement: float


def exits(ramps: tuple[Tensor, ...], logits: Tensor, expected: Tensor) -> tuple[ExitReading, ...]:
    """Read ramps, each prefix logits [K, N, C], as workers do, at the thresholds that the operator chooses among.

    `logits` [K, N, C] are the full depth's, `expected` [N] class indices.
    """
    if not ramps:
        return ()
    return tuple(
        reading for k in range(len(logits)) for reading in _with(k, [ramp[k] for ramp in ramps], logits[k], expected)
    )


def _with(index: int, ramps: list[Tensor], logits: Tensor, expected: Tensor) -> Iterator[ExitReading]:
    final = logits.argmax(-1)
    spoken = [ramp.softmax(-1).max(-1) for ramp in ramps]
    for threshold in SCORE_BUCKETS:
        answers, staying, left = final.clone(), torch.ones_like(final, dtype=torch.bool), []
        for confidence, said in spoken:
            leaving = staying & (1.0 - confidence < threshold)
            answers[leaving] = said[leaving]
            staying &= ~leaving
            left.append(_share(leaving))
        yield ExitReading(
            students=index + 1,
            threshold=threshold,
            left=tuple(left),
            accuracy=_share(answers == expected),
            agreement=_share(answers == final),
        )


def _share(chosen: Tensor) -> float:
    return int(torch.count_nonzero(chosen)) / len(chosen)
