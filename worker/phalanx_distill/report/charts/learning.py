"""Learning curves: the teacher, the students one after the other, and whatever else was trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from phalanx_distill.fit import Epoch
from phalanx_distill.report.charts.axes import MANY, room, shares, student_ticks
from phalanx_distill.report.document import StudentReport
from phalanx_distill.report.drawing import Drawing
from phalanx_distill.report.style import AMBER, BLUE, GREY

_TEACHER: Final = "teacher"
"""The first teacher's curve; those of further ones are `teacher-2` and so on."""
_TITLES: Final = {"joint": "All students together", "ramps": "Ramps", "adapter": "Adapter"}
_MOST_COLUMNS: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """How one thing was trained; its validation score is a share, else a mean square, negated."""

    title: str
    is_share: bool
    history: Sequence[Epoch]


def curves_of(curves: Mapping[str, Sequence[Epoch]]) -> list[Curve]:
    """What was trained beside the students, in the order of training."""
    teachers = {name: name.capitalize().replace("-", " ") for name in sorted(curves) if name.startswith(_TEACHER)}
    titles = {**teachers, **_TITLES}
    return [
        Curve(title=title, is_share=name != "joint", history=curves[name])
        for name, title in titles.items()
        if curves.get(name)
    ]


def learning_chart(curves: Mapping[str, Sequence[Epoch]], students: Sequence[StudentReport]) -> str:
    """A panel for each thing that was trained, in the order of training."""
    known = curves_of(curves)
    panels = len(known) + bool(students)
    columns = 2 if panels == 4 else min(panels, _MOST_COLUMNS)
    lines = math.ceil(panels / columns)
    drawing = Drawing("learning", rows=lines, columns=columns, width=3.5 * columns, height=3.0 * lines)
    with drawing.panels() as axes:
        for ax in axes[panels:]:
            ax.set_axis_off()
        if students:
            _students(axes.pop(min(1, panels - 1)), students)
        for ax, curve in zip(axes, known, strict=False):
            _curve(ax, curve)
    return drawing.svg


def _curve(ax: Axes, curve: Curve) -> None:
    history = curve.history
    epochs = [entry.epoch + 1 for entry in history]
    scores = [entry.score if curve.is_share else -entry.score for entry in history]
    best = max(range(len(history)), key=lambda at: history[at].score)
    ax.plot(epochs, [entry.loss for entry in history], color=GREY, marker="o", ms=3)
    ax.set(title=curve.title, xlabel="epoch", xlim=(0.5, len(epochs) + 0.5))
    ax.set_ylabel("training loss", color=GREY)
    ax.set_ylim(0, 1.15 * max(entry.loss for entry in history) or 1)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    right = ax.twinx()
    right.spines["right"].set_visible(True)
    right.grid(visible=False)
    right.plot(epochs, scores, color=BLUE, marker="o", ms=3)
    right.plot(epochs[best], scores[best], "o", color=BLUE, ms=9, mfc="none")
    right.margins(y=0.15)
    if curve.is_share:
        shares(right, decimals=1)
    right.set_ylabel("validation" if curve.is_share else "validation residual", color=BLUE)


def _students(ax: Axes, students: Sequence[StudentReport]) -> None:
    """Epoch by epoch, student after student: the loss on transfer text, and what is left on validation rows."""
    for index, student in enumerate(students):
        steps = len(student.history)
        at = [index + 1 + 0.7 * ((step + 0.5) / max(steps, 1) - 0.5) for step in range(steps)]
        ax.plot(at, [entry.loss for entry in student.history], color=GREY, marker="o", ms=3)
        ax.plot(at, [-entry.score for entry in student.history], color=BLUE, marker="o", ms=3)
    ax.plot([], [], color=GREY, marker="o", ms=3, label="training loss")
    ax.plot([], [], color=BLUE, marker="o", ms=3, label="validation residual")
    ax.set(title="Students, epoch by epoch", ylabel="mean square", ylim=(0, None))
    student_ticks(ax, range(1, len(students) + 1))
    ax.set_xlabel("student")
    room(ax, above=0.15)
    ax.legend(loc="upper right")


def residual_chart(students: Sequence[StudentReport]) -> str:
    """What k students leave of the teacher's logits, and what each student counts when all answer."""
    drawing = Drawing("residual", columns=2, width=7.6, height=3.0)
    count = range(1, len(students) + 1)
    highest = max(max(each.train_residual, each.validation_residual) for each in students)
    with drawing.panels() as (left, right):
        left.plot(count, [each.train_residual for each in students], "s--", color=AMBER, ms=4.5, label="transfer text")
        left.plot(count, [each.validation_residual for each in students], "o-", color=BLUE, ms=4.5, label="validation")
        left.set(title="What is left of the teacher's logits", ylabel="mean square", ylim=(0, 1.2 * highest))
        student_ticks(left, count)
        left.legend(loc="best")
        bars = right.bar(count, [each.weight for each in students], color=BLUE, width=0.6)
        if len(students) <= MANY:
            right.bar_label(bars, fmt="%.2f", padding=2, fontsize=8.5)
        right.set(title="What each student counts", ylabel="weight")
        student_ticks(right, count)
        right.set_xlabel("student")
        room(right, above=0.08)
    return drawing.svg
