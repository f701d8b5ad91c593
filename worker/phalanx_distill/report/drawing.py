"""Drawings for the page: SVG elements whose colours its CSS chooses, so that one reads in light and in dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phalanx_distill.report.style import AMBER, BLUE, GREEN, GREY, ORANGE, PINK, SETTINGS, SKY

INK: Final = "#101828"
"""Text and axes; on the page it is the colour of the text around."""

NAMES: Final = {BLUE: "blue", ORANGE: "orange", GREEN: "green", GREY: "grey", PINK: "pink", AMBER: "amber", SKY: "sky"}
"""The page's CSS has a variable `--NAME` for each."""

_VECTOR: Final[dict[Any, Any]] = {
    **SETTINGS,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
    "grid.color": INK,
    "grid.alpha": 0.12,
    "svg.fonttype": "none",  # texts stay texts: small, sharp, and found by a search
    "text.parse_math": False,
}
_PIXELS_A_POINT: Final = 4 / 3
_NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))


class Drawing:
    """Panels in rows and columns, of so many inches; drawn on within `panels()`, then an SVG element in `svg`.

    The same drawing gives the same bytes; `name` keeps its ids apart from those of the page's other drawings.
    """

    def __init__(self, name: str, *, rows: int = 1, columns: int = 1, width: float, height: float) -> None:
        self.name, self.svg = name, ""
        self._shape, self._size = (rows, columns), (width, height)

    @contextmanager
    def panels(self) -> Iterator[list[Axes]]:
        """The panels, row by row."""
        with matplotlib.rc_context(_VECTOR | {"svg.hashsalt": self.name}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # only widths are guessed: a browser draws
            drawn = Figure(figsize=self._size, layout="constrained")
            FigureCanvasAgg(drawn)  # draws into memory: no display is needed, and no global backend is set
            yield list(drawn.subplots(*self._shape, squeeze=False).flat)
            written = io.StringIO()
            drawn.savefig(written, format="svg", transparent=True, metadata=_NO_METADATA)
        self.svg = _element(written.getvalue(), self.name)


def _element(document: str, name: str) -> str:
    """An SVG document as an element of a page: no prologue, no rules of its own, ids of its own, colours by name."""
    svg = document[document.index("<svg") :].strip()
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    wide, high = (round(float(points) * _PIXELS_A_POINT) for points in box.groups())
    svg = re.sub(r"<svg [^>]*>", f'<svg viewBox="0 0 {box[1]} {box[2]}" width="{wide}" height="{high}">', svg, count=1)
    svg = re.sub(r"<defs>\s*<style.*?</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font-family: [^;]*; ", "", svg)
    svg = re.sub(r'( id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    for colour, known in NAMES.items():
        svg = svg.replace(colour.lower(), f"var(--{known})")
    return svg.replace(INK.lower(), "currentColor")
