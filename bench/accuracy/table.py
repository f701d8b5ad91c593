"""The table of docs/distillation.md: one line for each encoder and task, whether it was run or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.accuracy.merging import task_of
from bench.accuracy.subjects import SEEDS, TASKS
from bench.points import point, points

Figures = Mapping[str, Mapping[str, Any]]

_HEAD: Final = (
    "| teacher | task | held-out rows | its accuracy | students x rows | k = 1, points | all students, points "
    "| seeds' range | learned from, accuracy | seeds |"
)


def markdown(result: Mapping[str, Any]) -> str:
    """Differences to the teacher in points, with their 95 % intervals and the seeds' range."""
    figures, runs = result["figures"], result["runs"]
    lines = [_HEAD, "|---" * 10 + "|"]
    for encoder, tasks in _tasks(runs).items():
        for task in tasks:
            lines.append("| " + " | ".join(_cells(figures, runs, encoder, task)) + " |")
        if f"{encoder}:mean:difference" in figures:
            lines.append(_whole(figures, runs, encoder, planned=len(tasks)))
    return "\n".join(lines)


def _whole(figures: Figures, runs: Mapping[str, Any], encoder: str, *, planned: int) -> str:
    """The line below an encoder's tasks: the worst single student, and the mean of all of them."""
    tasks = {task_of(run) for run in runs if run.startswith(f"{encoder}:")}
    worst, mean = points(figures[f"{encoder}:worst:one"]), points(figures[f"{encoder}:mean:difference"])
    return f"| {encoder} | mean of {len(tasks)} of {planned} tasks | | | | the worst run {worst} | **{mean}** | | | |"


def commits(result: Mapping[str, Any]) -> str:
    """Which commits measured how many of the runs, the most first."""
    counts = Counter(f"{run['commit']}, {run['date']}" for run in result["runs"].values())
    return "; ".join(f"{count} runs at {at}" for at, count in counts.most_common())


def _tasks(runs: Mapping[str, Any]) -> dict[str, list[str]]:
    """The planned tasks, and after them what else was run."""
    found = {encoder: list(tasks) for encoder, tasks in TASKS.items()}
    for run in runs:
        encoder, task, _ = run.split(":")
        if task not in found.setdefault(encoder, []):
            found[encoder].append(task)
    return found


def _cells(figures: Figures, runs: Mapping[str, Any], encoder: str, task: str) -> Iterator[str]:
    key = f"{encoder}:{task}"
    seeds = [run for run in runs if run.startswith(f"{key}:s")]
    yield from (encoder, task)
    if not seeds:
        yield from ("", "not run yet", "", "", "", "", "", f"0 of {len(SEEDS)}")
        return
    spread = figures[f"{key}:all:seeds"]
    yield f"{figures[f'{seeds[0]}:held_out']['value']:g}"
    yield f"{figures[f'{key}:all:teacher']['value']:.3f}"
    shapes = [f"{figures[f'{run}:students']['value']:g} x {figures[f'{run}:rows']['value']:g}" for run in seeds]
    yield ", ".join(dict.fromkeys(shapes))
    yield points(figures[f"{key}:one:difference"])
    yield f"**{points(figures[f'{key}:all:difference'])}**"
    yield f"{point(spread['low'])} to {point(spread['high'])}"
    yield _learned_from(figures, key, seeds)
    yield f"{len(seeds)} of {len(SEEDS)}"


def _learned_from(figures: Figures, key: str, seeds: Sequence[str]) -> str:
    """The mean of the teachers whose logits students learned, where that is another than their teacher."""
    together = figures.get(f"{key}:all:together")
    if together is None:
        return "the teacher"
    counts = dict.fromkeys(f"{figures[f'{run}:teachers']['value']:g}" for run in seeds)
    return f"mean of {', '.join(counts)} teachers, {together['value']:.3f}"
