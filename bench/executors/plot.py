"""The picture of docs/execution.md: `python -m bench.executors.plot` draws it from the committed result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes

from bench.executors.table import Figures, label, names
from bench.record import RESULTS
from phalanx_distill.report import style

PICTURE: Final = Path(__file__).parents[2] / "docs" / "img" / "executors.png"


def draw(figures: Figures, path: Path) -> None:
    """One panel for each number of threads and students; a point is a shape's time, as a share of the default's."""
    shares = {key.removeprefix("ratio:"): figure for key, figure in figures.items() if key.startswith("ratio:")}
    endings = list(dict.fromkeys(key.split(":", 4)[4] for key in shares))
    with style.panels(path, len(endings), width=3.0 * len(endings) + 2, height=4.6) as axes:
        for place, ending in enumerate(endings):
            _panel(axes[place], {key: figure for key, figure in shares.items() if key.endswith(f":{ending}")}, figures)
            threads, students = ending.split(":")
            axes[place].set_title(f"threads: {threads[1:]}, k = {students[1:]}")
            if place:
                axes[place].set_yticklabels([])
        axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _panel(axes: Axes, shares: Figures, figures: Figures) -> None:
    order = names(figures)
    shapes = list(dict.fromkeys(":".join(key.split(":")[1:4]) for key in shares))
    for number, shape in enumerate(shapes):
        chosen = {key.split(":")[0]: figure for key, figure in shares.items() if f":{shape}:" in key}
        values = [chosen[name]["value"] for name in chosen]
        below = [figure["value"] - figure["low"] for figure in chosen.values()]
        above = [figure["high"] - figure["value"] for figure in chosen.values()]
        heights = [order.index(name) + 0.12 * (number - (len(shapes) - 1) / 2) for name in chosen]
        encoder, texts, length = shape.split(":")
        color = style.SEQUENCE[number % len(style.SEQUENCE)]
        axes.errorbar(
            values, heights, xerr=[below, above], fmt="o", markersize=3.5, linewidth=0.8, color=color,
            label=f"{encoder}, {texts[1:]} x {length[1:]}",
        )  # fmt: skip
    axes.axvline(1.0, color=style.GREY, linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(order)), [label(name) for name in order])
    axes.invert_yaxis()
    axes.set_xlabel("time over the default's")


if __name__ == "__main__":
    draw(json.loads((RESULTS / "executors.json").read_text())["figures"], PICTURE)
