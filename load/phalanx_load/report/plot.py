"""A report as a picture: rate, latency and students over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from phalanx_load.report.figures import Report, Second

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6B7280"
"""Told apart by colour-blind readers too (Okabe and Ito 2008)."""

STYLE: Final[dict[Any, Any]] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9.5,
    "grid.alpha": 0.25,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.dpi": 150,
}

_SLIVER: Final = 0.05
"""A last slice that is so small a part of a whole one is drawn as one: a trace's last offset alone would be a peak."""


def plot(report: Report, path: Path, *, title: str = "") -> None:
    """Write the picture; the suffix of the path says in which format."""
    told = any(second.students_mean is not None for second in report.series)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 6.4 if told else 4.8), layout="constrained")
        FigureCanvasAgg(figure)  # draws into memory: no display is needed, and no global backend is set
        ratios = [1.0, 1.5, 1.0] if told else [1.0, 1.5]
        axes: list[Axes] = list(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios))
        draw_rate(axes[0], report)
        draw_latency(axes[1], report)
        if told:
            draw_students(axes[2], report)
        for each in axes:
            mark_phases(each, report)
        _name_phases(axes[0], report)
        axes[-1].set_xlabel("seconds")
        figure.suptitle(title or f"{report.url} ({report.protocol})", x=0.01, ha="left", fontweight="bold")
        figure.savefig(path)


def draw_rate(axes: Axes, report: Report) -> None:
    """Requests that were due, and those that were not answered, by second."""
    per_s = _rates(report, "offered")
    axes.stairs(per_s, _edges(report), color=BLUE, lw=1.4, label="sent")
    for name, color in (("refused", ORANGE), ("lost", "black")):
        if any(rates := _rates(report, name)):
            axes.stairs(rates, _edges(report), color=color, lw=1.2, label=name)
    axes.set_ylabel("requests / s")
    axes.set_ylim(0, 1.3 * max(per_s))
    axes.legend(loc="upper right", ncols=3)


def draw_latency(axes: Axes, report: Report) -> None:
    """p50 and p99 of each second, with the objective."""
    _draw_line(axes, report, lambda second: second.p50_ms, color=BLUE, label="p50")
    _draw_line(axes, report, lambda second: second.p99_ms, color=ORANGE, label="p99")
    if report.objective_ms is not None:
        label = f"objective {report.objective_ms:g} ms"
        axes.axhline(report.objective_ms, color=GREY, ls="--", lw=1.2, label=label)
    _log_scale(axes, report)
    axes.set_ylabel("latency, ms")
    axes.legend(loc="upper right", ncols=3)


def _log_scale(axes: Axes, report: Report) -> None:
    """Plain numbers at 1, 2, 5, 10, ..., and room above all lines for the legend."""
    drawn = [value for second in report.series for value in (second.p50_ms, second.p99_ms) if value is not None]
    drawn += [report.objective_ms] if report.objective_ms is not None else []
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if drawn:
        axes.set_ylim(min(drawn) / 1.5, max(drawn) * 2.5)


def draw_students(axes: Axes, report: Report) -> None:
    """Mean and range of the students that voted, by second."""
    least = _values(report, lambda second: second.students_least)
    most = _values(report, lambda second: second.students_most)
    axes.fill_between(_middles(report), least, most, color=GREEN, alpha=0.2, lw=0, label="least to most")
    for place in _alone(least):  # an area has to have a width
        axes.vlines(_middles(report)[place], least[place], most[place], color=GREEN, alpha=0.2, lw=4)
    _draw_line(axes, report, lambda second: second.students_mean, color=GREEN, label="mean")
    highest = int(max(value for value in most if not math.isnan(value)))
    axes.set_yticks(range(1, highest + 1))
    axes.set_ylim(0.5, highest + 1.5)
    axes.set_ylabel("students")
    axes.legend(loc="upper right", ncols=2)


def _draw_line(axes: Axes, report: Report, of: Callable[[Second], float | None], *, color: str, label: str) -> None:
    """A line through the values, and a dot for each that no line would show."""
    values = _values(report, of)
    dots = _alone(values)
    axes.plot(_middles(report), values, color=color, lw=1.4, label=label,
              marker="o" if dots else None, markersize=4, markevery=dots or None)  # fmt: skip


def _alone(values: Sequence[float]) -> list[int]:
    """The places of values that have none beside them."""
    around = [math.nan, *values, math.nan]
    return [
        place
        for place, (before, value, after) in enumerate(zip(around, values, around[2:], strict=False))
        if not math.isnan(value) and math.isnan(before) and math.isnan(after)
    ]


def _rates(report: Report, name: str) -> list[float]:
    """A count of each slice by the slice's width."""
    widths_s = [end_s - start_s for start_s, end_s in pairwise(_edges(report))]
    return [getattr(second, name) / width_s for second, width_s in zip(report.series, widths_s, strict=True)]


def _edges(report: Report) -> list[float]:
    """Where slices begin, and where the last one ends: with the run, unless that leaves it no width to speak of."""
    last_s = report.series[-1].at_s
    left_s = report.stretches[-1].end_s - last_s
    width_s = left_s if _SLIVER < left_s / report.slice_s < 1.0 else report.slice_s
    return [*(second.at_s for second in report.series), last_s + width_s]


def _middles(report: Report) -> list[float]:
    return [(start_s + end_s) / 2 for start_s, end_s in pairwise(_edges(report))]


def _values(report: Report, of: Callable[[Second], float | None]) -> list[float]:
    """NaN where a second has none: the line is broken there."""
    return [math.nan if (value := of(second)) is None else float(value) for second in report.series]


def mark_phases(axes: Axes, report: Report) -> None:
    """A line where each phase begins."""
    for stretch in report.stretches[1:]:
        axes.axvline(stretch.start_s, color=GREY, lw=0.8, alpha=0.6)


def _name_phases(axes: Axes, report: Report) -> None:
    if len(report.stretches) < 2:
        return
    for stretch in report.stretches:
        axes.annotate(stretch.name, (stretch.start_s, 1.0), xycoords=("data", "axes fraction"), xytext=(4, -3),
                      textcoords="offset points", va="top", color=GREY, fontsize=8.5)  # fmt: skip
