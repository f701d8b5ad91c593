"""Where teacher and ensemble differ: by class, by pair of labels, and by row.

Labels are indices into the report's `labels`. Rows are positions in the test part, never texts: texts may be private.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

MOST_PAIRS: Final = 100
MOST_DIFFERING: Final = 10


class ClassReading(msgspec.Struct, frozen=True, kw_only=True):
    """Held-out rows of one class: how many, how many the teacher answers rightly, and how many k = 1..K students.

    `agreeing` counts those that all students answer as the teacher does; it and `teacher` are 0 without a teacher.
    """

    label: int
    rows: Annotated[int, Meta(ge=1)]
    teacher: int
    right: Annotated[tuple[int, ...], Meta(min_length=1)]
    agreeing: int


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that the teacher answers with one label and all students with another, and how often each is right."""

    teacher: int
    ensemble: int
    rows: int
    teacher_right: int
    ensemble_right: int


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """One row on which teacher and all students differ; `confidence` is that of the students."""

    row: int
    expected: int
    teacher: int
    ensemble: int
    confidence: float


def by_class(answers: Tensor, expected: Tensor, teacher: Tensor | None, *, classes: int) -> tuple[ClassReading, ...]:
    """Counts for every class that has rows; answers [K, N], expected and the teacher's answers [N]."""

    def counts(chosen: Tensor) -> list[int]:
        return [int(count) for count in torch.bincount(expected[chosen], minlength=classes)]

    rows = counts(torch.ones_like(expected, dtype=torch.bool))
    right = [counts(answer == expected) for answer in answers]
    taught = [0] * classes if teacher is None else counts(teacher == expected)
    agreeing = [0] * classes if teacher is None else counts(teacher == answers[-1])
    return tuple(
        ClassReading(
            label=label,
            rows=rows[label],
            teacher=taught[label],
            right=tuple(row[label] for row in right),
            agreeing=agreeing[label],
        )
        for label in range(classes)
        if rows[label]
    )


def confusions(ensemble: Tensor, teacher: Tensor, expected: Tensor) -> tuple[Confusion, ...]:
    """The pairs of unlike answers [N], the most frequent first."""
    said = [(int(t), int(e), int(x)) for t, e, x in zip(teacher, ensemble, expected, strict=True) if t != e]
    rows = Counter((t, e) for t, e, _ in said)
    teacher_right = Counter((t, e) for t, e, x in said if t == x)
    ensemble_right = Counter((t, e) for t, e, x in said if e == x)
    return tuple(
        Confusion(teacher=pair[0], ensemble=pair[1], rows=count, teacher_right=teacher_right[pair],
                  ensemble_right=ensemble_right[pair])
        for pair, count in sorted(rows.items(), key=lambda item: (-item[1], item[0]))[:MOST_PAIRS]
    )  # fmt: skip


def differing(logits: Tensor, teacher: Tensor, expected: Tensor) -> tuple[Differing, ...]:
    """The rows on which all students (logits [N, C]) differ from the teacher (answers [N]), the surest first."""
    confidence, answers = logits.double().softmax(-1).max(-1)
    rows = [row for row in confidence.argsort(descending=True, stable=True).tolist() if answers[row] != teacher[row]]
    return tuple(
        Differing(row=row, expected=int(expected[row]), teacher=int(teacher[row]), ensemble=int(answers[row]),
                  confidence=float(confidence[row]))
        for row in rows[:MOST_DIFFERING]
    )  # fmt: skip
