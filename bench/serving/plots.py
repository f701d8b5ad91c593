"""The pictures, from the files that a run has written: `python -m bench.serving.plots` draws them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.record import RESULTS
from bench.serving.scale import SHARES
from phalanx_distill.report import style
from phalanx_load.report import Report, decode
from phalanx_load.report.plot import STYLE, draw_latency, draw_rate, draw_students, mark_phases

_NAMES: Final = {"fixed": "all students, always", "guard": "the burst guard picks"}
_COLORS: Final = {"fixed": style.ORANGE, "guard": style.BLUE}


def draw_all(results: Path, pictures: Path) -> None:
    """Both pictures of the run whose files are in a folder."""
    pictures.mkdir(parents=True, exist_ok=True)
    reports = {name: decode((results / "serving" / f"burst-{name}.json").read_bytes()) for name in _NAMES}
    draw_burst(reports, pictures / "serving-burst.png")
    draw_loads(json.loads((results / "serving.json").read_text())["figures"], pictures / "serving-load.png")


def draw_burst(reports: dict[str, Report], path: Path) -> None:
    """The same burst twice, side by side: rate, latency and students over time."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.2), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(3, len(reports), sharex=True, height_ratios=[1, 1.5, 1], squeeze=False)
        for column, (name, report) in enumerate(reports.items()):
            for axes, draw in zip(grid[:, column], (draw_rate, draw_latency, draw_students), strict=True):
                draw(axes, report)
                mark_phases(axes, report)
                if column:
                    axes.set_ylabel("")
            grid[0, column].set_title(_NAMES[name], loc="left", fontweight="bold")
            grid[2, column].set_xlabel("seconds")
        for row in grid:
            _same_scale(row)
        figure.savefig(path)


def _same_scale(row: Sequence[Axes]) -> None:
    """One scale for all: each report alone chooses its own."""
    limits = [axes.get_ylim() for axes in row]
    for axes in row:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def draw_loads(figures: dict[str, Any], path: Path) -> None:
    """p99 and students by the share of the capacity that is asked for."""
    with style.panels(path, 2, width=9, height=3.4) as (latency, students):
        for name, label in _NAMES.items():
            _line(latency, figures, name, "p99", label)
            _line(students, figures, name, "students", label)
        objective = figures["objective"]["value"]
        latency.axhline(objective, color=style.GREY, ls="--", lw=1.2, label=f"objective {objective:g} ms")
        latency.set_title("p99 latency, ms")
        students.set_title("students that answer, on average")
        latency.set_ylim(bottom=0)
        students.set_ylim(0.5, figures["students"]["value"] + 0.5)
        students.set_yticks(range(1, figures["students"]["value"] + 1))
        latency.legend(loc="upper left")
        for axes in (latency, students):
            axes.set_xlabel("load, as a share of the capacity with all students")
            axes.set_xticks(SHARES)


def _line(axes: Axes, figures: dict[str, Any], name: str, what: str, label: str) -> None:
    each = [figures[f"{name}:{100 * share:.0f}:{what}"] for share in SHARES]
    values = [figure["value"] for figure in each]
    axes.fill_between(
        SHARES, [f["low"] for f in each], [f["high"] for f in each], color=_COLORS[name], alpha=0.15, lw=0
    )
    axes.plot(SHARES, values, marker="o", ms=4, color=_COLORS[name], label=label)


if __name__ == "__main__":
    draw_all(RESULTS, Path("docs/img"))
