"""Which shape (rows L, students K) is enough: the cheapest whose validation accuracy is within the budget.

Rows run one after the other and students side by side, so a shape's latency is first of all its rows: all numbers of
students of one depth are tried before the next depth. Students of one depth are each other's prefixes, so trying one
more costs one training. Validation rows are few and choose among several shapes: what is found is only as certain as
its interval tells, and the held-out test rows have the last word.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from phalanx_distill.evaluate import compared
from phalanx_distill.intervals import Difference, paired_difference
from phalanx_distill.predict import predict
from phalanx_distill.run import Run
from phalanx_distill.students import Students
from phalanx_distill.taught import Taught
from phalanx_grid import Grid


@dataclass(frozen=True, slots=True)
class Tried:
    """One shape: its accuracy on validation rows, and that less the teacher's on the same rows, with its interval.

    `met` says whether the difference is within the budget; `seconds` what it took, in the process that measured it.
    """

    rows: int
    students: int
    accuracy: float
    difference: Difference
    met: bool
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The students of the chosen depth, how many of them, and all shapes that were tried, in order."""

    students: Students
    count: int
    tried: tuple[Tried, ...]


def choose(run: Run, teacher: Grid, transfer: Taught, validation: Taught, expected: Tensor) -> Chosen:
    """Train shapes, cheapest first, until one is good enough; else the one that comes closest.

    `expected` int64 [N] are the classes of the validation rows. Students are held against `teacher` itself, which they
    are measured against in the end, also where they learn the mean of several.
    """
    right = predict(teacher, validation.corpus, run.compute).logits[-1].argmax(-1) == expected
    tried: list[Tried] = []
    grown: list[Students] = []
    for depth in depths(run, teacher.geometry.rows):
        students = Students(run, teacher, transfer, validation, depth=depth)
        grown.append(students)
        for shape in _shapes(run, students, expected, right):
            tried.append(shape)
            run.report.say(described(shape))
            if shape.met:
                return Chosen(students, shape.students, tuple(tried))
    best = max(tried, key=lambda shape: (shape.accuracy, -shape.rows, -shape.students))
    run.report.say(f"no shape met the budget; {best.rows} rows x {best.students} students come closest")
    (students,) = [each for each in grown if each.depth == best.rows]
    return Chosen(students, best.students, tuple(tried))


def depths(run: Run, teacher_rows: int) -> list[int]:
    """The numbers of rows to try, fewest first; never as many as the teacher's."""
    settings = run.settings.students
    if settings.rows != "auto":
        return [settings.rows]
    return list(range(1, max(2, min(settings.auto.max_rows + 1, teacher_rows))))


def described(shape: Tried) -> str:
    """A shape in one line."""
    gap = shape.difference
    return (
        f"{shape.rows} rows x {shape.students} students: {shape.accuracy:.4f} on validation rows, the teacher's"
        f" {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})" + (", enough" if shape.met else "")
    )


def _shapes(run: Run, students: Students, expected: Tensor, right: Tensor) -> Iterator[Tried]:
    """Every number of students of a depth, or only the one that is set; `right` bool [N] is the teacher's."""
    settings = run.settings.students
    before = time.monotonic()
    for count in _grown(students, settings.count, settings.auto.max_count):
        ours = students.answers(count).argmax(-1) == expected
        difference = paired_difference(compared(ours, right))
        yield Tried(
            rows=students.depth,
            students=count,
            accuracy=float(ours.double().mean()),
            difference=difference,
            met=difference.value >= -settings.auto.accuracy_budget,
            seconds=round(time.monotonic() - before, 2),
        )
        before = time.monotonic()


def _grown(students: Students, count: int | Literal["auto"], most: int) -> Iterator[int]:
    """The numbers of students to judge, each once it is trained."""
    if count == "auto":
        for _ in students.grow(most):
            yield len(students.trained)
    else:
        yield len(list(students.grow(count)))
