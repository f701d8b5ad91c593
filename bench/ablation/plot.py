"""Effects of the variants with their intervals, a panel for each encoder; grey dots are single tasks."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from bench.ablation.variants import DEFAULT, VARIANTS
from phalanx_distill.report.style import BLUE, GREY, panels

Figures = Mapping[str, Mapping[str, Any]]
_SHOWN = [variant for variant in VARIANTS if variant.name != DEFAULT]


def plot(result: Path, image: Path) -> None:
    """Draw a result into a PNG."""
    data = json.loads(result.read_text())
    encoders = list(dict.fromkeys(run.split(":")[0] for run in data["runs"]))
    image.parent.mkdir(parents=True, exist_ok=True)
    with panels(image, len(encoders), width=3.2 + 3.6 * len(encoders), height=0.6 + 0.3 * len(_SHOWN)) as axes:
        for ax, encoder in zip(axes, encoders, strict=True):
            _panel(ax, data["figures"], list(data["runs"]), encoder)
        names = [f"{variant.factor}: {variant.title}" for variant in _SHOWN]
        axes[0].set_yticks(range(len(_SHOWN)), names)
        for ax in axes[1:]:
            ax.set_yticks(range(len(_SHOWN)), [""] * len(_SHOWN))


def _panel(ax: Axes, figures: Figures, runs: list[str], encoder: str) -> None:
    ax.axvline(0, color=GREY, lw=1)
    for place, variant in enumerate(_SHOWN):
        effect = figures.get(f"{encoder}:{variant.name}:effect")
        if effect is None:
            continue
        single = list(_by_task(figures, runs, encoder, variant.name))
        ax.plot(single, [place] * len(single), "o", color=GREY, ms=3, alpha=0.6)
        value, low, high = (100 * effect[name] for name in ("value", "low", "high"))
        ax.errorbar(value, place, xerr=[[value - low], [high - value]], color=BLUE, fmt="o", ms=5, capsize=3)
    ax.set_ylim(len(_SHOWN) - 0.5, -0.5)
    ax.set(title=f"{encoder}: accuracy less the default's", xlabel="points, 95 % interval over tasks")


def _by_task(figures: Figures, runs: list[str], encoder: str, variant: str) -> Iterator[float]:
    """The mean over seeds of each task's effect, in points."""
    own = [run.split(":") for run in runs if run.startswith(f"{encoder}:") and run.endswith(f":{variant}")]
    for task in dict.fromkeys(parts[1] for parts in own):
        seeds = [":".join(parts) for parts in own if parts[1] == task]
        yield 100 * statistics.fmean(figures[f"{run}:effect"]["value"] for run in seeds)
