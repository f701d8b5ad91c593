"""One look for all plots. Colours are told apart by colour-blind readers too (Okabe and Ito 2008).

`panels` writes PNG files, for documents; the report's page has drawings of its own (drawing.py) in the same look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
GREY: Final = "#6B7280"
PINK: Final = "#CC79A7"
AMBER: Final = "#E69F00"
SKY: Final = "#56B4E9"
SEQUENCE: Final = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)

SETTINGS: Final[dict[Any, Any]] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.size": 9.5,
    "grid.alpha": 0.25,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.dpi": 150,
}
"""matplotlib's settings for all of it."""


@contextmanager
def panels(path: Path, columns: int, *, width: float, height: float) -> Iterator[list[Axes]]:
    """Panels side by side in a figure of so many inches, written as a PNG at the end."""
    with matplotlib.rc_context(SETTINGS):
        drawn = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(drawn)  # draws into memory: no display is needed, and no global backend is set
        yield list(drawn.subplots(1, columns, squeeze=False)[0])
        drawn.savefig(path)
