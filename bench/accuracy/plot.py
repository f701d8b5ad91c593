"""Accuracy by number of students against the teacher, a panel for each encoder and task."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator, PercentFormatter

from phalanx_distill.report.style import GREEN, SEQUENCE, SETTINGS

COLUMNS: Final = 3
OF_SEEDS: Final = tuple(colour for colour in SEQUENCE if colour != GREEN)
"""Colours of seeds: the teacher has its own."""
Figures = Mapping[str, Mapping[str, Any]]


def plot(result: Path, image: Path) -> None:
    """Draw the runs of a result into a PNG."""
    data = json.loads(result.read_text())
    tasks = list(dict.fromkeys(run.rpartition(":")[0] for run in data["runs"]))
    rows = math.ceil(len(tasks) / COLUMNS)
    image.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(SETTINGS):
        drawing = Drawing(figsize=(4.2 * COLUMNS, 3.1 * rows), layout="constrained")
        FigureCanvasAgg(drawing)
        panels = list(drawing.subplots(rows, COLUMNS, squeeze=False).flat)
        for ax, task in zip(panels, tasks, strict=False):
            _panel(ax, data["figures"], task, [run for run in data["runs"] if run.rpartition(":")[0] == task])
        for ax in panels[len(tasks) :]:
            ax.set_axis_off()
        drawing.savefig(image)


def _panel(ax: Axes, figures: Figures, task: str, runs: list[str]) -> None:
    teacher = figures[f"{task}:all:teacher"]
    ax.axhspan(teacher["low"], teacher["high"], color=GREEN, alpha=0.12, lw=0)
    ax.axhline(teacher["value"], color=GREEN, lw=1.4, label=f"teacher {teacher['value']:.3f}")
    for index, run in enumerate(runs):
        students = range(1, int(figures[f"{run}:students"]["value"]) + 1)
        shares = [figures[f"{run}:k{k}:accuracy"]["value"] for k in students]
        label = f"seed {run.rpartition(':s')[2]}, {figures[f'{run}:rows']['value']:g} rows"
        ax.plot(list(students), shares, "o-", ms=4, color=OF_SEEDS[index % len(OF_SEEDS)], label=label)
    encoder, _, name = task.partition(":")
    ax.set_title(f"{name}, {encoder}")
    ax.set(xlabel="students")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.margins(x=0.15, y=0.2)
    ax.legend(loc="best")
