"""The result as it grows: a run finished earlier stays as it is, with its own commit, date and settings."""

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
from bench.accuracy.subjects import rows_of
from bench.record import Figure

Figures = dict[str, Figure]
Summary = Callable[[Mapping[str, Figure], Sequence[str]], Iterator[tuple[str, Figure]]]
"""(figures of runs, the runs' keys) -> figures over several runs."""


@dataclass(slots=True)
class Result:
    """What is known: figures by key, and for every finished run where it comes from."""

    figures: Figures = field(default_factory=dict)
    runs: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(
        self, key: str, found: Mapping[str, Figure], *, fingerprint: str, settings: str, commit: str, date: str = ""
    ) -> bool:
        """Take over the figures of a run; False if it is known already, which then keeps its commit and date.

        `settings` stands for all that runs of a task must have in common to be averaged or compared, whatever the seed:
        runs of the task that were made with others are forgotten. `date` is today's if it is not given.
        """
        known = self.runs.get(key, {})
        new = known.get("fingerprint") != fingerprint
        for other in [*([key] if new else []), *self._unlike(key, settings)]:
            self._forget(other)
        self.figures |= {f"{key}:{name}": figure for name, figure in found.items()}
        if new:
            known = {"fingerprint": fingerprint, "commit": commit, "date": date or today()}
        self.runs[key] = {**known, "settings": settings}
        return new

    def _unlike(self, key: str, settings: str) -> list[str]:
        """Other runs of the same encoder and task with other settings."""
        task = task_of(key)
        return [
            run
            for run, facts in self.runs.items()
            if run != key and task_of(run) == task and facts.get("settings") != settings
        ]

    def _forget(self, key: str) -> None:
        self.runs.pop(key, None)
        self.figures = {name: figure for name, figure in self.figures.items() if not name.startswith(f"{key}:")}

    def summarised(self, over: Summary) -> Figures:
        """All figures, with those over seeds and tasks anew."""
        return self.figures | dict(over(self.figures, list(self.runs)))


def today() -> str:
    """The date of a result."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def task_of(run: str) -> str:
    """Encoder and task of a run: the first two parts of its key."""
    return ":".join(run.split(":")[:2])


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
    tasks = list(dict.fromkeys(map(task_of, runs)))
    means: dict[str, dict[str, Figure]] = {}
    for task in tasks:
        seeds = [run for run in runs if task_of(run) == task]
        gaps = [figures[f"{run}:k{_students(figures, run)}:difference"] for run in seeds]
        values = [gap.value for gap in gaps]
        mean = over_seeds(gaps)
        encoder, _, name = task.partition(":")
        means.setdefault(encoder, {})[name] = mean
        yield f"{task}:all:difference", mean
        yield f"{task}:all:seeds", Figure(value=mean.value, low=min(values), high=max(values), unit="share")
        yield f"{task}:all:teacher", over_seeds([figures[f"{run}:teacher"] for run in seeds])
        together = [figure for run in seeds if (figure := figures.get(f"{run}:together")) is not None]
        if together:
            yield f"{task}:all:together", over_seeds(together)
        yield f"{task}:one:difference", over_seeds([figures[f"{run}:k1:difference"] for run in seeds])
        yield f"{task}:finished", exact(len(seeds), "seeds")
    for encoder, each in means.items():
        yield f"{encoder}:mean:difference", over_tasks(each)
        alone = [figures[f"{run}:k1:difference"] for run in runs if run.startswith(f"{encoder}:")]
        yield f"{encoder}:worst:one", min(alone, key=lambda figure: figure.value)


def over_seeds(figures: Sequence[Figure]) -> Figure:
    """Means of values and bounds: seeds share their rows, so their errors may not be taken for independent."""
    return Figure(
        value=statistics.fmean(figure.value for figure in figures),
        low=statistics.fmean(figure.low for figure in figures),
        high=statistics.fmean(figure.high for figure in figures),
        unit=figures[0].unit,
    )


def over_tasks(figures: Mapping[str, Figure]) -> Figure:
    """The mean of figures by task: distances to their bounds add as squares, those of tasks with the same rows as
    they are."""
    groups: dict[str, list[Figure]] = {}
    for task, figure in figures.items():
        groups.setdefault(rows_of(task), []).append(figure)
    value = statistics.fmean(figure.value for figure in figures.values())
    below = math.hypot(*(sum(figure.value - figure.low for figure in group) for group in groups.values()))
    above = math.hypot(*(sum(figure.high - figure.value for figure in group) for group in groups.values()))
    unit = next(iter(figures.values())).unit
    return Figure(value=value, low=value - below / len(figures), high=value + above / len(figures), unit=unit)


def _students(figures: Mapping[str, Figure], run: str) -> int:
    return int(figures[f"{run}:students"].value)


def _run_of(key: str, runs: Mapping[str, object]) -> str | None:
    """The run that a figure was measured in; None for those over several."""
    parts = key.split(":")
    return next((run for end in range(1, len(parts)) if (run := ":".join(parts[:end])) in runs), None)
