"""The result as it grows: a run finished earlier stays as it is, with its own commit and date."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.accuracy.reading import exact
from bench.record import Figure, commit

Figures = dict[str, Figure]
Summary = Callable[[Mapping[str, Figure], Sequence[str]], Iterator[tuple[str, Figure]]]
"""(figures of runs, the runs' keys) -> figures over several runs."""


@dataclass(slots=True)
class Result:
    """What is known: figures by key, and for every finished run where it comes from."""

    figures: Figures = field(default_factory=dict)
    runs: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, key: str, found: Mapping[str, Figure], *, fingerprint: str, **more: str) -> bool:
        """Take over the figures of a run; False if it is known already. `more` may give another commit and date."""
        known = self.runs.get(key)
        if known is not None and known["fingerprint"] == fingerprint:
            return False
        self.figures = {name: figure for name, figure in self.figures.items() if not name.startswith(f"{key}:")}
        self.figures |= {f"{key}:{name}": figure for name, figure in found.items()}
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        self.runs[key] = {"fingerprint": fingerprint, "commit": commit(), "date": today, **more}
        return True

    def summarised(self, over: Summary) -> Figures:
        """All figures, with those over seeds and tasks anew."""
        return self.figures | dict(over(self.figures, list(self.runs)))


def read_result(path: Path) -> Result:
    """What a file holds; nothing if there is none."""
    if not path.exists():
        return Result()
    data: dict[str, Any] = json.loads(path.read_text())
    runs: dict[str, dict[str, str]] = data["runs"]
    own = {key: Figure(**figure) for key, figure in data["figures"].items() if _run_of(key, runs)}
    return Result(figures=own, runs=runs)


def summary(figures: Mapping[str, Figure], runs: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """Means over the seeds of each task, and over the tasks of each encoder."""
    tasks = list(dict.fromkeys(run.rpartition(":")[0] for run in runs))
    means: dict[str, list[Figure]] = {}
    for task in tasks:
        seeds = [run for run in runs if run.rpartition(":")[0] == task]
        gaps = [figures[f"{run}:k{_students(figures, run)}:difference"] for run in seeds]
        values = [gap.value for gap in gaps]
        mean = over_seeds(gaps)
        means.setdefault(task.partition(":")[0], []).append(mean)
        yield f"{task}:all:difference", mean
        yield f"{task}:all:seeds", Figure(value=mean.value, low=min(values), high=max(values), unit="share")
        yield f"{task}:all:teacher", over_seeds([figures[f"{run}:teacher"] for run in seeds])
        yield f"{task}:one:difference", over_seeds([figures[f"{run}:k1:difference"] for run in seeds])
        yield f"{task}:finished", exact(len(seeds), "seeds")
    for encoder, each in means.items():
        yield f"{encoder}:mean:difference", over_tasks(each)


def over_seeds(figures: Sequence[Figure]) -> Figure:
    """Means of values and bounds: seeds share their rows, so their errors may not be taken for independent."""
    return Figure(
        value=statistics.fmean(figure.value for figure in figures),
        low=statistics.fmean(figure.low for figure in figures),
        high=statistics.fmean(figure.high for figure in figures),
        unit=figures[0].unit,
    )


def over_tasks(figures: Sequence[Figure]) -> Figure:
    """The mean of independent figures: distances to their bounds add as squares."""
    value = statistics.fmean(figure.value for figure in figures)
    below = math.hypot(*(figure.value - figure.low for figure in figures)) / len(figures)
    above = math.hypot(*(figure.high - figure.value for figure in figures)) / len(figures)
    return Figure(value=value, low=value - below, high=value + above, unit=figures[0].unit)


def _students(figures: Mapping[str, Figure], run: str) -> int:
    return int(figures[f"{run}:students"].value)


def _run_of(key: str, runs: Mapping[str, object]) -> str | None:
    """The run that a figure was measured in; None for those over several."""
    parts = key.split(":")
    return next((run for end in range(1, len(parts)) if (run := ":".join(parts[:end])) in runs), None)
