"""Accuracy and agreement on rows that nothing was trained or chosen on, for every number of students."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

from phalanx_distill.intervals import Pairs, wilson
from phalanx_grid import Accuracy, Interval, StudentAccuracy


class RampReading(msgspec.Struct, frozen=True, kw_only=True):
    """One ramp with one number of students; `agreement` is with the full depth at the same number of students."""

    row: int
    students: int
    accuracy: float
    agreement: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest keeps, and beside it what only the report shows.

    `teacher_agreement[k-1]` is the share of rows that k students answer as the teacher does; `pairs[k-1]` counts the
    rows by which of k students (the first predictor) and teacher (the second) answers them rightly.
    """

    accuracy: Accuracy
    teacher_agreement: tuple[float, ...] = ()
    ramps: tuple[RampReading, ...] = ()
    pairs: tuple[Pairs, ...] = ()


def measure(
    logits: Tensor,
    expected: Tensor,
    *,
    dataset: str,
    teacher: Tensor | None = None,
    ramps: tuple[Tensor, ...] = (),
) -> Measured:
    """Score prefix logits [K, N, C] against class indices [N].

    `teacher` are its logits [N, C]; `ramps[l]` the prefix logits of the ramp after row l, [K, N, C].
    """
    answers = logits.argmax(-1)
    taught = None if teacher is None else teacher.argmax(-1)
    accuracy = Accuracy(
        by_k=tuple(_with_students(k, answers, expected) for k in range(1, len(answers) + 1)),
        rows_evaluated=len(expected),
        teacher=None if teacher is None else accuracy_of(teacher, expected),
        dataset=dataset,
    )
    return Measured(
        accuracy=accuracy,
        teacher_agreement=() if taught is None else tuple(_share(answer, taught) for answer in answers),
        ramps=tuple(reading for row, said in enumerate(ramps) for reading in _ramp(row, said, answers, expected)),
        pairs=() if taught is None else tuple(compared(answer == expected, taught == expected) for answer in answers),
    )


def compared(first: Tensor, second: Tensor) -> Pairs:
    """Rows counted by which of two predictors is right; `first` and `second` are bool [N]."""
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    return Pairs(
        both=both,
        only_first=int(first.sum()) - both,
        only_second=int(second.sum()) - both,
        neither=neither,
    )


def _with_students(k: int, answers: Tensor, expected: Tensor) -> StudentAccuracy:
    interval = wilson(_right(answers[k - 1], expected), len(expected))
    return StudentAccuracy(
        students=k,
        accuracy=interval.share,
        low=interval.low,
        high=interval.high,
        agreement=_share(answers[k - 1], answers[-1]),
    )


def accuracy_of(logits: Tensor, expected: Tensor) -> Interval:
    """The share of logits [N, C] whose largest is the expected class [N], with Wilson's 95 % interval."""
    interval = wilson(_right(logits.argmax(-1), expected), len(expected))
    return Interval(accuracy=interval.share, low=interval.low, high=interval.high)


def _ramp(row: int, logits: Tensor, final: Tensor, expected: Tensor) -> list[RampReading]:
    answers = logits.argmax(-1)
    return [
        RampReading(
            row=row,
            students=k + 1,
            accuracy=_share(answers[k], expected),
            agreement=_share(answers[k], final[k]),
        )
        for k in range(len(answers))
    ]


def _right(answers: Tensor, expected: Tensor) -> int:
    return int(torch.count_nonzero(answers == expected))


def _share(answers: Tensor, expected: Tensor) -> float:
    return _right(answers, expected) / len(expected)
