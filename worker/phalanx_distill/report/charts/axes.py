"""What several drawings do to their axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from phalanx_distill.report.words import MINUS

MANY: Final = 10
"""Beyond so many students not every tick is named."""


def shares(ax: Axes, *, axis: str = "y", decimals: int | None = None) -> None:
    """Percent along an axis."""
    chosen = ax.yaxis if axis == "y" else ax.xaxis
    chosen.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


def point_ticks(ax: Axes) -> None:
    """Percentage points along y, with a sign."""

    def text(value: float, _: object) -> str:
        said = f"{100 * value:+.3g}".replace("-", MINUS)
        return "0" if value == 0 else said

    ax.yaxis.set_major_formatter(FuncFormatter(text))


def student_ticks(ax: Axes, students: Sequence[int]) -> None:
    """Whole numbers of students along x."""
    ax.set(xlabel="students", xlim=(min(students) - 0.5, max(students) + 0.5))
    if len(students) <= MANY:
        ax.set_xticks(students)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def room(ax: Axes, *, below: float = 0.0, above: float = 0.0) -> None:
    """Widen y by shares of its span, for a legend."""
    low, high = ax.get_ylim()
    ax.set_ylim(low - below * (high - low), high + above * (high - low))
