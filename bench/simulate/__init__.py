"""The operator's policy against baselines, on the shipped traces, in simulation.

The example pool of `phalanx simulate` (2 to 12 workers of the default profile, objective 150 ms) under every trace and
policy. Traces that last hours are drawn with three seeds: the value is the median, low and high are the extremes; the
day is drawn once. docs/simulation.md says what the model is and how it was checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.record import Figure, write
from phalanx_cli.simulation_plot import plot
from phalanx_operator.simulate.compare import DEFAULT, compare
from phalanx_operator.simulate.replay import Run
from phalanx_operator.simulate.report import report_of
from phalanx_operator.simulate.setup import setup_of
from phalanx_operator.simulate.traces import shipped

SEEDS: Final[Mapping[str, tuple[int, ...]]] = {"flash-crowd": (0, 1, 2), "on-off": (0, 1, 2), "diurnal": (0,)}
PICTURES: Final = Path("docs/img")


def run() -> Path:
    """Simulate, draw the pictures of the first seed, and write bench/results/simulate.json."""
    console, figures, setup = Console(), dict[str, Figure](), setup_of()
    for name, seeds in SEEDS.items():
        runs = []
        for seed in seeds:
            runs.append(compare(shipped(name, seed=seed), DEFAULT, setup))
            console.print(name, f"seed {seed}", *(f"{each.policy} {each.score.violating:.2%}" for each in runs[-1]))
        figures |= figures_of(name, runs)
        plot(report_of(runs[0]), PICTURES / f"simulate-{name}.png")
    return write("simulate", figures)


def figures_of(name: str, runs: Sequence[Sequence[Run]]) -> dict[str, Figure]:
    """`TRACE:POLICY:what`, for runs of the policies `DEFAULT` by seed."""
    figures: dict[str, Figure] = {}
    for place, policy in enumerate(DEFAULT):
        scores = [each[place].score for each in runs]
        what = {
            "violating": ([score.violating for score in scores], "share"),
            "violations": ([score.violations for score in scores], "texts"),
            "missed": ([float(score.violating_s) for score in scores], "s"),
            "hours": ([score.worker_hours for score in scores], "worker hours"),
            "students": ([score.mean_students for score in scores], "students"),
            "differing": ([score.disagreeing for score in scores], "share"),
            "moves": ([float(score.worker_changes) for score in scores], "changes"),
        }
        figures |= {f"{name}:{policy}:{key}": _spread(values, unit) for key, (values, unit) in what.items()}
    return figures


def _spread(values: Sequence[float], unit: str) -> Figure:
    return Figure(value=statistics.median(values), low=min(values), high=max(values), unit=unit)
