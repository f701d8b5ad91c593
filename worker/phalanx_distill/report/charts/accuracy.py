"""Accuracy by number of students, the paired difference to the teacher, and agreement."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from phalanx_distill.evaluate import Measured
from phalanx_distill.intervals import Difference
from phalanx_distill.report.charts.axes import MANY, point_ticks, room, shares, student_ticks
from phalanx_distill.report.drawing import Drawing
from phalanx_distill.report.style import AMBER, BLUE, GREEN, ORANGE
from phalanx_grid import Accuracy


def accuracy_chart(measured: Measured, differences: Sequence[Difference], budget: float) -> str:
    """Three panels side by side with a teacher, else accuracy alone."""
    panels = 3 if differences else 1
    drawing = Drawing("accuracy", columns=panels, width=3.5 * panels + (panels == 1), height=3.2)
    with drawing.panels() as axes:
        _accuracy(axes[0], measured.accuracy)
        if differences:
            _differences(axes[1], differences, budget)
            _agreement(axes[2], measured)
    return drawing.svg


def _accuracy(ax: Axes, accuracy: Accuracy) -> None:
    students = [entry.students for entry in accuracy.by_k]
    values = [entry.accuracy for entry in accuracy.by_k]
    if accuracy.teacher is not None:
        ax.axhspan(accuracy.teacher.low, accuracy.teacher.high, color=GREEN, alpha=0.14, lw=0)
        ax.axhline(accuracy.teacher.accuracy, color=GREEN, lw=1.5, label="teacher")
    below = [entry.accuracy - entry.low for entry in accuracy.by_k]
    above = [entry.high - entry.accuracy for entry in accuracy.by_k]
    ax.errorbar(students, values, yerr=[below, above], color=BLUE, fmt="o-", ms=4.5, capsize=4, label="ensemble")
    ax.set_title("Accuracy")
    student_ticks(ax, students)
    shares(ax)
    if accuracy.teacher is not None:
        room(ax, below=0.2)
        ax.legend(loc="lower right", ncols=2)


def _differences(ax: Axes, differences: Sequence[Difference], budget: float) -> None:
    students = range(1, len(differences) + 1)
    values = [each.value for each in differences]
    below = [each.value - each.low for each in differences]
    above = [each.high - each.value for each in differences]
    ax.axhline(0, color=GREEN, lw=1.5, label="teacher")
    ax.axhline(-budget, color=ORANGE, lw=1.5, ls="--", label="budget")
    ax.errorbar(students, values, yerr=[below, above], color=BLUE, fmt="o", ms=4.5, capsize=4)
    if len(differences) <= MANY:
        _say_values(ax, values)
    ax.set_title("Against the teacher, points")
    student_ticks(ax, students)
    point_ticks(ax)
    room(ax, below=0.2)
    ax.legend(loc="lower right", ncols=2)


def _say_values(ax: Axes, values: Sequence[float]) -> None:
    for students, value in enumerate(values, start=1):
        text = f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
        ax.annotate(text, (students, value), xytext=(6, 4), textcoords="offset points", color=BLUE, fontsize=8.5)


def _agreement(ax: Axes, measured: Measured) -> None:
    students = [entry.students for entry in measured.accuracy.by_k]
    whole = [entry.agreement for entry in measured.accuracy.by_k]
    ax.plot(students, whole, "s--", color=AMBER, ms=4.5, label="with all students")
    ax.plot(students, measured.teacher_agreement, "o-", color=BLUE, ms=4.5, label="with the teacher")
    ax.set_title("Same answer")
    student_ticks(ax, students)
    shares(ax)
    room(ax, below=0.25)
    ax.legend(loc="lower right")
