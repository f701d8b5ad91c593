"""The pictures, from the file that a run has written: `python -m bench.gpu.plots` draws them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes

from bench.gpu.table import PICTURES, measured
from bench.record import RESULTS
from phalanx_distill.report import style

IMAGES: Final = Path(__file__).parents[2] / "docs" / "img"
Figures = Mapping[str, Mapping[str, Any]]

_TEACHERS: Final = {
    "teacher_eager": ("transformers, eager", style.GREY),
    "teacher_compile": ("transformers, torch.compile", style.AMBER),
    "teacher_graphs": ("teacher in this engine, CUDA graphs", style.ORANGE),
}
_BLUES: Final = ("#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594")
"""For numbers of students: the darker the more."""

_SPREAD: Final = 0.7
"""Width of a group of marks; places are one apart."""


def draw(result: Path, images: Path) -> None:
    """The pictures of one result, except those of parts that were not measured."""
    found = json.loads(result.read_text())
    prefix, figures, where = found["name"].replace("_", "-"), found["figures"], found["machine"].split(",")[0]
    images.mkdir(parents=True, exist_ok=True)
    pictures = {"latency": _latency, "executor": _executors, "roofline": _roofline, "throughput": _throughput}
    for kind, picture in pictures.items():
        if measured(figures, kind):
            picture(figures, images / f"{prefix}-{PICTURES[kind][0]}.png", where)


def _latency(figures: Figures, path: Path, where: str) -> None:
    """One panel for each teacher: medians by length, with the span from the 10th to the 99th percentile."""
    sizes = _names(figures, "latency", 1)
    with style.panels(path, len(sizes), width=6.2 * len(sizes), height=4.2) as axes:
        for place, size in zip(axes, sizes, strict=True):
            lengths = _names(figures, "latency", 2, (size,))
            series = {}
            blues = iter(_BLUES)
            for name in _names(figures, "latency", 3, (size,)):
                label, color = _TEACHERS.get(name) or (_students(name), next(blues))
                series[label] = (color, [figures.get(f"latency:{size}:{length}:{name}") for length in lengths])
            _marks(place, [f"{length[1:]} tokens" for length in lengths], series)
            place.set_yscale("log")
            place.set_ylabel("milliseconds (10th to 99th percentile)")
            place.set_title(f"One text, {size} width, on {where}")
        axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _executors(figures: Figures, path: Path, where: str) -> None:
    shapes = list(dict.fromkeys(":".join(key.split(":")[1:3]) for key in figures if key.startswith("executor:")))
    names = list(dict.fromkeys(key.split(":")[3] for key in figures if key.startswith("executor:")))
    titles = [shape.replace("n", "", 1).replace(":s", " x ").replace(":mixed", " x up to ") for shape in shapes]
    series = {
        name: (color, [figures.get(f"executor_ratio:{shape}:{name}") for shape in shapes])
        for name, color in zip(names, cycle(style.SEQUENCE), strict=False)
    }
    with style.panels(path, 1, width=9.5, height=4.0) as axes:
        _marks(axes[0], titles, series)
        axes[0].axhline(1.0, color=style.GREY, linewidth=0.8)
        axes[0].set_ylabel("time over stacked")
        axes[0].set_title(f"Executors on texts x tokens, on {where}")
        axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _roofline(figures: Figures, path: Path, where: str) -> None:
    """How near the device's two limits each pass comes."""
    keys = [key.rsplit(":", 1)[0] for key in figures if key.startswith("roofline:") and key.endswith(":rate")]
    groups: dict[tuple[str, bool], list[str]] = {}
    for key in keys:
        _, size, _, name = key.split(":")
        groups.setdefault((size, name.startswith("teacher")), []).append(key)
    colors = dict(zip(dict.fromkeys(size for size, _ in groups), style.SEQUENCE, strict=False))
    with style.panels(path, 1, width=7.5, height=4.4) as axes:
        for (size, teacher), own in groups.items():
            across, up = ([figures[f"{key}:{limit}"]["value"] for key in own] for limit in ("bandwidth", "rate"))
            label, marker = (f"{size}, best teacher", "s") if teacher else (f"{size}, ensemble", "o")
            axes[0].scatter(across, up, color=colors[size], marker=marker, alpha=0.8, label=label)
        axes[0].set_xscale("log")
        axes[0].set_yscale("log")
        axes[0].set_xlabel("share of the measured bandwidth")
        axes[0].set_ylabel("share of the measured matrix rate")
        axes[0].set_title(f"What is reached of the limits of {where}")
        axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _throughput(figures: Figures, path: Path, where: str) -> None:
    names = [key.partition(":")[2] for key in figures if key.startswith("throughput:")]
    names.sort(key=lambda name: figures[f"throughput:{name}"]["value"])
    with style.panels(path, 1, width=8.5, height=0.32 * len(names) + 1.2) as axes:
        values = [figures[f"throughput:{name}"] for name in names]
        colors = [style.BLUE if name.startswith("k") else style.GREY for name in names]
        axes[0].barh(names, [value["value"] for value in values], color=colors, xerr=_spans(values), ecolor="black")
        axes[0].set_xlabel("texts a second (10th to 90th percentile)")
        axes[0].set_title(f"Texts of real lengths in batches of n, on {where}")


def _marks(axes: Axes, groups: Sequence[str], series: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
    """A group of marks with their spans for each place on the axis; what was not measured is left out."""
    step = _SPREAD / max(len(series), 1)
    for index, (label, (color, values)) in enumerate(series.items()):
        places = [place + (index + 0.5) * step - _SPREAD / 2 for place, value in enumerate(values) if value is not None]
        there = [value for value in values if value is not None]
        axes.errorbar(
            places, [value["value"] for value in there], yerr=_spans(there),
            fmt="o", markersize=6, elinewidth=1, color=color, label=label,
        )  # fmt: skip
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.5, len(groups) - 0.5)


def _students(name: str) -> str:
    k = name.removeprefix("ensemble_k")
    return f"{k} student{'s' if k != '1' else ''} x 2 rows"


def _spans(values: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    return [[v["value"] - v["low"] for v in values], [v["high"] - v["value"] for v in values]]


def _names(figures: Figures, kind: str, place: int, above: Sequence[str] = ()) -> list[str]:
    """The different parts of keys at a place, below the given ones, in their order."""
    keys = (key.split(":") for key in figures)
    wanted = [kind, *above]
    return list(dict.fromkeys(key[place] for key in keys if key[: len(wanted)] == wanted and len(key) > place))


if __name__ == "__main__":
    draw(RESULTS / "gpu.json", IMAGES)
