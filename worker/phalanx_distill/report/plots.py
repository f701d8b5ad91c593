"""The plots of a run: learning curves, the residual, and accuracy by number of students."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from phalanx_distill.evaluate import Measured
from phalanx_distill.fit import Epoch
from phalanx_distill.report.document import Report, StudentReport
from phalanx_distill.report.style import BLUE, GREEN, GREY, ORANGE, SEQUENCE, panels
from phalanx_grid import Accuracy


def write_plots(folder: Path, report: Report) -> list[Path]:
    """Write `learning.png` and `accuracy.png` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "learning.png", folder / "accuracy.png"]
    _learning(paths[0], report)
    _accuracy(paths[1], report.measured)
    return paths


def _learning(path: Path, report: Report) -> None:
    curves = [(name, history) for name, history in report.curves.items() if history]
    count = len(curves) + bool(report.students)
    with panels(path, count, width=4.4 * count, height=3.4) as axes:
        if report.students:
            # In the order in which things are trained: teacher, students, ramps.
            _residuals(axes.pop(min(1, count - 1)), report.students)
        for ax, (name, history) in zip(axes, curves, strict=True):
            _loss_and_score(ax, history, title=name)


def _loss_and_score(ax: Axes, history: list[Epoch], *, title: str) -> None:
    epochs = [entry.epoch + 1 for entry in history]
    best = max(history, key=lambda entry: entry.score)
    ax.plot(epochs, [entry.loss for entry in history], color=GREY, marker="o", ms=3.5)
    ax.set(title=title.capitalize(), xlabel="epoch", xlim=(0.5, len(epochs) + 0.5))
    ax.set_ylim(0, 1.12 * max(entry.loss for entry in history))
    ax.set_ylabel("training loss", color=GREY)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    right = ax.twinx()
    right.spines["right"].set_visible(True)
    right.grid(visible=False)
    right.plot(epochs, [entry.score for entry in history], color=BLUE, marker="o", ms=3.5)
    right.plot(best.epoch + 1, best.score, "o", color=BLUE, ms=9, mfc="none")
    right.set_ylabel("validation, ring: kept", color=BLUE)
    right.margins(y=0.15)
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))


def _residuals(ax: Axes, students: list[StudentReport]) -> None:
    """Epoch by epoch, student after student: what is left of the teacher's logits on validation rows."""
    for index, student in enumerate(students):
        epochs = len(student.history)
        at = [index + 1 + 0.6 * ((step + 0.5) / epochs - 0.5) for step in range(epochs)]
        left = [-entry.score for entry in student.history]
        ax.plot(at, left, color=SEQUENCE[index % len(SEQUENCE)], marker="o", ms=3.5)
        ax.plot(index + 1, student.train_residual, "_", color=GREY, ms=16, mew=2)
    ax.plot([], [], color=BLUE, marker="o", ms=3.5, label="validation rows, by epoch")
    ax.plot([], [], "_", color=GREY, ms=16, mew=2, label="transfer text, at the end")
    highest = max(max(-entry.score for entry in student.history) for student in students)
    ax.set(title="Students", xlabel="student, weight", ylabel="mean squared residual")
    ax.set(xlim=(0.4, len(students) + 0.6), ylim=(0, 1.35 * highest))
    names = [f"{index + 1}\na = {student.weight:.2f}" for index, student in enumerate(students)]
    ax.set_xticks(range(1, len(students) + 1), names)
    ax.legend(loc="upper right")


def _accuracy(path: Path, measured: Measured) -> None:
    accuracy = measured.accuracy
    students = [entry.students for entry in accuracy.by_k]
    with panels(path, 1, width=6.4, height=4.0) as (ax,):
        _teacher_band(ax, accuracy)
        if measured.teacher_agreement:
            ax.plot(students, measured.teacher_agreement, "s--", color=ORANGE, ms=4.5, label="agrees with the teacher")
        _by_students(ax, accuracy)
        ax.set_title(f"{accuracy.dataset}: {accuracy.rows_evaluated} held-out rows, 95 % intervals")
        ax.set(xlabel="students", ylabel="share of rows", xlim=(min(students) - 0.4, max(students) + 0.6))
        ax.set_xticks(students)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.18 * (high - low), min(1.0, high))
        ax.legend(loc="lower center", ncols=3)


def _teacher_band(ax: Axes, accuracy: Accuracy) -> None:
    teacher = accuracy.teacher
    if teacher is not None:
        ax.axhspan(teacher.low, teacher.high, color=GREEN, alpha=0.10, lw=0)
        ax.axhline(teacher.accuracy, color=GREEN, lw=1.4, label=f"teacher {teacher.accuracy:.3f}")


def _by_students(ax: Axes, accuracy: Accuracy) -> None:
    students = [entry.students for entry in accuracy.by_k]
    shares = [entry.accuracy for entry in accuracy.by_k]
    below = [entry.accuracy - entry.low for entry in accuracy.by_k]
    above = [entry.high - entry.accuracy for entry in accuracy.by_k]
    ax.errorbar(students, shares, yerr=[below, above], color=BLUE, fmt="o-", capsize=4, label="accuracy")
    for k, share in zip(students, shares, strict=True):
        ax.annotate(f"{share:.3f}", (k, share), xytext=(7, -12), textcoords="offset points", color=BLUE)
