"""What happened, as a table for the eye and as plots that stay."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from demo.load import Answer, Phase

INK, ACCENT, SOFT = "#1f2933", "#c2410c", "#94a3b8"


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile; NaN for no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def phase_rows(answers: Sequence[Answer], phases: Sequence[Phase]) -> list[dict[str, float | str]]:
    """One line for each phase: load, latency in milliseconds, students, exits, accuracy of what was answered."""
    lines: list[dict[str, float | str]] = []
    for phase in phases:
        mine = [answer for answer in answers if answer.phase == phase.name]
        good = [answer for answer in mine if answer.status == 200]
        latencies = [1000 * answer.latency_s for answer in good]
        lines.append(
            {
                "phase": phase.name,
                "sent_per_s": len(mine) / phase.seconds,
                "answered": len(good),
                "refused_429": sum(answer.status == 429 for answer in mine),
                "failed": sum(answer.status not in (200, 429) for answer in mine),
                "p50_ms": percentile(latencies, 0.50),
                "p99_ms": percentile(latencies, 0.99),
                "students_mean": statistics.fmean([answer.students for answer in good]) if good else math.nan,
                "students_min": min((answer.students for answer in good), default=0),
                "early_exits": sum(answer.exit_row != "final" for answer in good) / max(1, len(good)),
                "accuracy": sum(answer.correct for answer in good) / max(1, len(good)),
            }
        )
    return lines


def show_phases(console: Console, lines: Sequence[dict[str, float | str]]) -> None:
    """Print the table of the run."""
    table = Table(
        title="What happened", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    columns = {
        "phase": ("", "{}"),
        "sent_per_s": ("sent/s", "{:.0f}"),
        "answered": ("ok", "{}"),
        "refused_429": ("429", "{}"),
        "failed": ("lost", "{}"),
        "p50_ms": ("p50 ms", "{:.0f}"),
        "p99_ms": ("p99 ms", "{:.0f}"),
        "students_mean": ("mean k", "{:.2f}"),
        "students_min": ("min k", "{}"),
        "early_exits": ("exits", "{:.1%}"),
        "accuracy": ("right", "{:.3f}"),
    }
    for title, _ in columns.values():
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for line in lines:
        table.add_row(*(form.format(line[name]) for name, (_, form) in columns.items()))
    console.print(table)


def _per_slice(answers: Sequence[Answer], *, width_s: float) -> list[tuple[float, list[Answer]]]:
    """Answers grouped by the slice of time in which they were due."""
    slices: dict[int, list[Answer]] = {}
    for answer in answers:
        slices.setdefault(int(answer.due_s / width_s), []).append(answer)
    return [((index + 0.5) * width_s, group) for index, group in sorted(slices.items())]


def plot_burst(
    path: Path, answers: Sequence[Answer], phases: Sequence[Phase], *, objective_s: float, full: int
) -> None:
    """Rate, latency and students over time, with the objective and the phases marked."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    rate, latency, students = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.3, 1])
    width_s = 0.5
    slices = _per_slice(answers, width_s=width_s)
    times = [time for time, _ in slices]
    rate.step(times, [len(group) / width_s for _, group in slices], where="mid", color=INK)
    rate.set_ylabel("texts sent / s")
    rate.set_ylim(bottom=0, top=1.25 * max(len(group) / width_s for _, group in slices))
    good = [answer for answer in answers if answer.status == 200]
    latency.scatter(
        [answer.due_s for answer in good], [1000 * answer.latency_s for answer in good], s=4, color=SOFT, lw=0
    )
    answered = [(time, [1000 * a.latency_s for a in group if a.status == 200]) for time, group in slices]
    latency.plot(
        [time for time, values in answered if values],
        [percentile(values, 0.99) for _, values in answered if values],
        color=ACCENT,
        label=f"p99 in {width_s:g} s",
    )
    latency.axhline(1000 * objective_s, color=INK, ls="--", lw=1, label=f"objective {1000 * objective_s:g} ms")
    latency.set_ylabel("latency, ms")
    latency.set_yscale("log")
    latency.legend(loc="lower right", frameon=False, ncols=2)
    students.scatter([a.due_s for a in good], [a.students for a in good], s=5, color=INK, lw=0, alpha=0.3)
    students.set_ylabel("students")
    students.set_yticks(range(1, full + 1))
    students.set_ylim(0.5, full + 0.5)
    students.set_xlabel("seconds")
    start = 0.0
    for phase in phases:
        for axes in (rate, latency, students):
            axes.axvline(start, color=SOFT, lw=0.8)
            axes.spines[["top", "right"]].set_visible(False)
        rate.annotate(phase.name, (start, 1.0), xycoords=("data", "axes fraction"), xytext=(4, -2),
                      textcoords="offset points", va="top", color=SOFT)  # fmt: skip
        start += phase.seconds
    figure.suptitle("A burst: students drop, latency holds, students come back", x=0.01, ha="left")
    figure.savefig(path, dpi=130)
