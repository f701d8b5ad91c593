"""One look for all plots. Colours are told apart by colour-blind readers too (Okabe and Ito 2008)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib

matplotlib.use("Agg")  # no display is needed, and none is touched

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
GREY: Final = "#6B7280"
SEQUENCE: Final = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")

_SETTINGS: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "font.size": 9.5,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "savefig.dpi": 150,
}


def figure(columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure in inches with panels side by side."""
    with matplotlib.rc_context(_SETTINGS):
        drawn = Figure(figsize=(width, height), layout="constrained")
        return drawn, list(drawn.subplots(1, columns, squeeze=False)[0])


def save(drawn: Figure, path: Path) -> None:
    """Write a PNG."""
    with matplotlib.rc_context(_SETTINGS):
        drawn.savefig(path)
