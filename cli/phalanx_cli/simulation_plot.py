"""Policies over one trace as a picture: rate, latency, students, workers and cost over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from phalanx_load.report.plot import BLUE, GREEN, GREY, ORANGE, STYLE
from phalanx_operator.simulate.report import PolicyReport, Report
from phalanx_operator.simulate.slices import Slice

_COLORS: Final = {"operator": BLUE, "fixed": ORANGE, "fewest": GREEN, "hpa": "#CC79A7"}
_MORE: Final = ("#E69F00", "#56B4E9", "#F0E442", "black")
"""By kind of policy, and for further ones of a kind; colour-blind readers tell them apart too (Okabe and Ito 2008)."""


def plot(report: Report, path: Path) -> None:
    """Write the picture; the suffix of the path says in which format."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 9.5), layout="constrained")
        FigureCanvasAgg(figure)  # draws into memory: no display is needed, and no global backend is set
        axes: list[Axes] = list(figure.subplots(5, 1, sharex=True, height_ratios=[1.0, 1.5, 1.0, 1.0, 1.0]))
        _draw_rate(axes[0], report)
        _draw_latency(axes[1], report)
        _draw_lines(axes[2], report, lambda each: each.students)
        axes[2].set_ylabel("students k")
        _whole_numbers(axes[2], report)
        _draw_lines(axes[3], report, lambda each: each.live)
        axes[3].set_ylabel("workers")
        axes[3].set_ylim(bottom=0)
        _draw_cost(axes[4], report)
        axes[4].set_xlabel("hours" if _in_hours(report) else "minutes")
        axes[-1].set_xlim(0, report.seconds / _unit_s(report))
        figure.suptitle(f"{report.trace}: {report.about}" if report.about else report.trace, x=0.01, ha="left",
                        fontweight="bold", fontsize=10)  # fmt: skip
        handles, labels = axes[3].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        figure.savefig(path)


def _draw_rate(axes: Axes, report: Report) -> None:
    slices = report.policies[0].slices
    axes.fill_between(_times(report, slices), [each.arrived_per_s for each in slices], color=GREY, alpha=0.35, lw=0)
    for place, policy in enumerate(report.policies):
        refused = [each.refused_per_s for each in policy.slices]
        if any(refused):
            axes.plot(_times(report, policy.slices), refused, color=_color(report, place), lw=1.2)
    axes.set_ylabel("texts / s\n(lines: refused)")
    axes.set_ylim(bottom=0)


def _draw_latency(axes: Axes, report: Report) -> None:
    _draw_lines(axes, report, lambda each: None if each.p99_s is None else 1000 * each.p99_s)
    axes.axhline(1000 * report.objective_s, color=GREY, ls="--", lw=1.2)
    axes.annotate(f"objective {1000 * report.objective_s:g} ms", (1.0, 1000 * report.objective_s), xytext=(-4, 4),
                  xycoords=("axes fraction", "data"), textcoords="offset points", ha="right", color=GREY, fontsize=8.5,
                  bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1}, zorder=4)  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("predicted p99, ms")


def _draw_cost(axes: Axes, report: Report) -> None:
    for place, policy in enumerate(report.policies):
        hours = list(accumulate(each.live * each.seconds / 3600 for each in policy.slices))
        _line(axes, report, policy, hours, place)
    axes.set_ylabel("worker-hours")
    axes.set_ylim(bottom=0)


def _draw_lines(axes: Axes, report: Report, of: Callable[[Slice], float | None]) -> None:
    """A line for each policy; broken where a slice has no value."""
    for place, policy in enumerate(report.policies):
        values = [math.nan if (value := of(each)) is None else value for each in policy.slices]
        _line(axes, report, policy, values, place)


def _line(axes: Axes, report: Report, policy: PolicyReport, values: Sequence[float], place: int) -> None:
    first = place == 0
    axes.plot(
        _times(report, policy.slices),
        values,
        color=_color(report, place),
        lw=1.8 if first else 1.2,
        zorder=3 if first else 2,
        label=policy.policy,
    )


def _color(report: Report, place: int) -> str:
    """A kind's own colour for the first policy of it."""
    kinds = [policy.policy.partition(":")[0] for policy in report.policies]
    repeated = [at for at, kind in enumerate(kinds) if kind in kinds[:at]]
    return _MORE[repeated.index(place) % len(_MORE)] if place in repeated else _COLORS[kinds[place]]


def _whole_numbers(axes: Axes, report: Report) -> None:
    most = max(math.ceil(each.students or 1) for policy in report.policies for each in policy.slices)
    axes.set_yticks(range(1, most + 1))
    axes.set_ylim(0.7, most + 0.3)


def _times(report: Report, slices: Sequence[Slice]) -> list[float]:
    return [(each.at_s + each.seconds / 2) / _unit_s(report) for each in slices]


def _unit_s(report: Report) -> float:
    return 3600.0 if _in_hours(report) else 60.0


def _in_hours(report: Report) -> bool:
    return report.seconds > 4 * 3600
