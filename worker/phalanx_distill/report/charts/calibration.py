"""Reliability: the share of right answers against their confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from phalanx_distill.detail import Reliability
from phalanx_distill.report.charts.axes import shares
from phalanx_distill.report.drawing import Drawing
from phalanx_distill.report.style import BLUE, GREEN, GREY

MOST_PANELS: Final = 8
_COLUMNS: Final = 4


def shown(readings: Sequence[Reliability]) -> list[Reliability]:
    """All predictors, or of too many the first ones and the last."""
    if len(readings) <= MOST_PANELS:
        return list(readings)
    return [*readings[: MOST_PANELS - 1], readings[-1]]


def reliability_chart(readings: Sequence[Reliability]) -> str:
    """A panel for each predictor: dots on the diagonal are honest, below it too sure; their area is their rows."""
    chosen = shown(readings)
    columns = min(_COLUMNS, len(chosen))
    lines = math.ceil(len(chosen) / columns)
    drawing = Drawing("reliability", rows=lines, columns=columns, width=2.62 * columns, height=2.6 * lines)
    with drawing.panels() as axes:
        for ax in axes[len(chosen) :]:
            ax.set_axis_off()
        for ax, reading in zip(axes, chosen, strict=False):
            _panel(ax, reading)
    return drawing.svg


def _panel(ax: Axes, reading: Reliability) -> None:
    colour = BLUE if reading.students else GREEN
    at = [entry.confidence for entry in reading.bins]
    right = [entry.right for entry in reading.bins]
    ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
    ax.plot(at, right, color=colour, lw=1)
    ax.scatter(
        at, right, s=[12 + 160 * entry.rows / reading.rows for entry in reading.bins], color=colour, alpha=0.65, lw=0
    )
    name = f"k = {reading.students}" if reading.students else "Teacher"
    ax.set_title(f"{name}, ECE {100 * reading.error:.1f} %", fontsize=9.5)
    ax.set(xlim=(0, 1.04), ylim=(0, 1.04), xlabel="confidence", ylabel="right")
    ax.set_aspect("equal")
    shares(ax, decimals=0)
    shares(ax, axis="x", decimals=0)
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
