"""The picture, from the file that a run has written: `python -m bench.cpu.plot` draws it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from bench.cpu.goals import Figures, split, spoken
from bench.record import RESULTS
from phalanx_distill.report import style

_COLORS: Final = {"teacher": style.GREEN, "transformers": style.GREY, "onnx": style.AMBER}
"""Of those that run the whole encoder; ensembles are blue."""


def plot(result: Path, image: Path) -> None:
    """A line of two panels for each encoder: its first cell."""
    data = json.loads(result.read_text())
    figures: Figures = data["figures"]
    cells: dict[str, str] = {}
    for key in figures:
        if ":latency:" in key:
            cells.setdefault(key.partition(":")[0], split(key)[0])
    image.parent.mkdir(parents=True, exist_ok=True)
    most = max(len(_rates(figures, cell)) for cell in cells.values())
    with matplotlib.rc_context(style.SETTINGS):
        drawing = Drawing(figsize=(12, (0.27 * most + 1.1) * len(cells)), layout="constrained")
        FigureCanvasAgg(drawing)
        for (left, right), cell in zip(drawing.subplots(len(cells), 2, squeeze=False), cells.values(), strict=True):
            _latency(left, figures, cell)
            _throughput(right, figures, cell)
        drawing.savefig(image)


def _latency(axes: Axes, figures: Figures, cell: str) -> None:
    names = [split(key)[1] for key in figures if key.startswith(f"{cell}:latency:") and key.endswith(":p50")]
    p50, p99 = ([figures[f"{cell}:latency:{name}:{which}"]["value"] for name in names] for which in ("p50", "p99"))
    for place, (name, middle, last) in enumerate(zip(names, p50, p99, strict=True)):
        axes.plot([middle, last], [place, place], color=_color(name), lw=2, marker="|", ms=9, markevery=[1])
        axes.plot(middle, place, "o", color=_color(name), ms=7)
    axes.set_xlabel("ms for one text: median (dot) to 99th percentile")
    _finish(axes, f"Latency: {spoken(cell)}", [name.replace("_", " ") for name in names])


def _throughput(axes: Axes, figures: Figures, cell: str) -> None:
    names = _rates(figures, cell)
    found = [figures[f"{cell}:throughput:{name}"] for name in names]
    for place, (name, figure) in enumerate(zip(names, found, strict=True)):
        axes.plot([figure["low"], figure["high"]], [place, place], color=_color(name), lw=2, marker="|", ms=9)
        axes.plot(figure["value"], place, "o", color=_color(name), ms=7)
    axes.set_xlabel("texts a second (slowest to fastest chunk)")
    _finish(axes, f"Throughput: {spoken(cell)}", [name.replace("_", " ").replace(":", ", ") for name in names])


def _rates(figures: Figures, cell: str) -> list[str]:
    prefix = f"{cell}:throughput:"
    return [key.removeprefix(prefix) for key in figures if key.startswith(prefix)]


def _finish(axes: Axes, title: str, labels: Sequence[str]) -> None:
    axes.set_title(title)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=False, axis="y")


def _color(name: str) -> str:
    return next((color for who, color in _COLORS.items() if name.startswith(who)), style.BLUE)


if __name__ == "__main__":
    plot(RESULTS / "cpu.json", Path("docs/img/cpu.png"))
