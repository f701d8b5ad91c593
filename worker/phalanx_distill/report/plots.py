"""The plots of a run: learning curves, the residual, and accuracy by number of students."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from phalanx_distill.fit import Epoch
from phalanx_distill.report.document import Report
from phalanx_distill.report.style import BLUE, GREEN, GREY, ORANGE, SEQUENCE, figure, save


def write_plots(folder: Path, report: Report) -> list[Path]:
    """Write `learning.png` and `accuracy.png` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "learning.png", folder / "accuracy.png"]
    _learning(paths[0], report)
    _accuracy(paths[1], report)
    return paths


def _learning(path: Path, report: Report) -> None:
    curves = [(name, history) for name, history in report.curves.items() if history]
    panels = len(curves) + bool(report.students)
    drawn, axes = figure(panels, width=4.3 * panels, height=3.4)
    for ax, (name, history) in zip(axes, curves, strict=False):
        _loss_and_score(ax, history, title=name)
    if report.students:
        _residuals(axes[-1], report)
    save(drawn, path)


def _loss_and_score(ax: Axes, history: list[Epoch], *, title: str) -> None:
    epochs = [entry.epoch + 1 for entry in history]
    best = max(history, key=lambda entry: entry.score)
    ax.plot(epochs, [entry.loss for entry in history], color=GREY, marker="o", ms=3.5)
    ax.set(title=title.capitalize(), xlabel="epoch", ylim=(0, None))
    ax.set_ylabel("training loss", color=GREY)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    right = ax.twinx()
    right.spines["right"].set_visible(True)
    right.grid(visible=False)
    right.plot(epochs, [entry.score for entry in history], color=BLUE, marker="o", ms=3.5)
    right.plot(best.epoch + 1, best.score, "o", color=BLUE, ms=9, mfc="none")
    right.set_ylabel("validation score (ring: kept)", color=BLUE)
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))


def _residuals(ax: Axes, report: Report) -> None:
    """Epoch by epoch, student after student: what is left of the teacher's logits on validation rows."""
    at, ticks = 0, []
    for index, student in enumerate(report.students):
        steps = [at + entry.epoch + 1 for entry in student.history]
        colour = SEQUENCE[index % len(SEQUENCE)]
        ax.plot(steps, [-entry.score for entry in student.history], color=colour, marker="o", ms=3.5)
        ticks.append((sum(steps) / len(steps), f"s{index + 1}\na={student.weight:.2f}"))
        at = steps[-1]
        if index + 1 < len(report.students):
            ax.axvline(at + 0.5, color=GREY, lw=0.6, alpha=0.5)
    ax.set(title="Students", ylabel="mean squared residual", ylim=(0, None))
    ax.set_xticks([tick for tick, _ in ticks], [label for _, label in ticks])
    after = [round(tick) for tick, _ in ticks]
    ax.plot(
        after, [s.train_residual for s in report.students], "_", color=GREY, ms=14, mew=2, label="transfer text, after"
    )
    ax.plot([], [], color=GREY, marker="o", ms=3.5, label="validation, by epoch")
    ax.legend(loc="upper right")


def _accuracy(path: Path, report: Report) -> None:
    accuracy = report.measured.accuracy
    drawn, (ax,) = figure(1, width=6.2, height=3.8)
    students = [entry.students for entry in accuracy.by_k]
    shares = [entry.accuracy for entry in accuracy.by_k]
    below = [entry.accuracy - entry.low for entry in accuracy.by_k]
    above = [entry.high - entry.accuracy for entry in accuracy.by_k]
    if accuracy.teacher is not None:
        teacher = accuracy.teacher
        ax.axhspan(teacher.low, teacher.high, color=GREEN, alpha=0.10, lw=0)
        ax.axhline(teacher.accuracy, color=GREEN, lw=1.4, label=f"teacher {teacher.accuracy:.3f}")
    ax.errorbar(students, shares, yerr=[below, above], color=BLUE, fmt="o-", capsize=4, label="accuracy")
    agreement = report.measured.teacher_agreement
    if agreement:
        ax.plot(students, agreement, "s--", color=ORANGE, ms=4.5, label="agreement with the teacher")
    for k, share in zip(students, shares, strict=True):
        ax.annotate(f"{share:.3f}", (k, share), xytext=(7, -12), textcoords="offset points", color=BLUE)
    ax.set(title=f"{accuracy.dataset}: {accuracy.rows_evaluated} held-out rows, 95 % intervals")
    ax.set(xlabel="students", ylabel="share of rows")
    ax.set_xlim(min(students) - 0.4, max(students) + 0.6)
    ax.set_xticks(students)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(loc="lower right", ncols=3)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.22 * (high - low), high)
    save(drawn, path)
