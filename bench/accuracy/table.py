"""The table of docs/distillation.md: one line for each encoder and task, whether it was run or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.accuracy.subjects import SEEDS, TASKS

Figures = Mapping[str, Mapping[str, Any]]

_HEAD: Final = (
    "| teacher | task | held-out rows | teacher's accuracy | students x rows | k = 1, points | all students, points "
)


def markdown(result: Mapping[str, Any]) -> str:
    """Differences to the teacher in points, with their 95 % intervals and the seeds' range."""
    figures, runs = result["figures"], result["runs"]
    lines = [_HEAD + "| seeds' range | seeds |", "|---" * 9 + "|"]
    for encoder, tasks in _tasks(runs).items():
        for task in tasks:
            lines.append("| " + " | ".join(_cells(figures, runs, encoder, task)) + " |")
        mean = figures.get(f"{encoder}:mean:difference")
        if mean is not None:
            lines.append(f"| {encoder} | mean of tasks run | | | | | **{_points(mean)}** | | |")
    return "\n".join(lines)


def commits(result: Mapping[str, Any]) -> str:
    """Which commits measured how many of the runs."""
    counts: dict[str, int] = {}
    for run in result["runs"].values():
        counts[f"{run['commit']}, {run['date']}"] = counts.get(f"{run['commit']}, {run['date']}", 0) + 1
    return "; ".join(f"{count} at {at}" for at, count in counts.items())


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
        yield from ("", "not run yet", "", "", "", "", f"0 of {len(SEEDS)}")
        return
    spread = figures[f"{key}:all:seeds"]
    yield f"{figures[f'{seeds[0]}:held_out']['value']:g}"
    yield f"{figures[f'{key}:all:teacher']['value']:.3f}"
    yield ", ".join(f"{figures[f'{run}:students']['value']:g} x {figures[f'{run}:rows']['value']:g}" for run in seeds)
    yield _points(figures[f"{key}:one:difference"])
    yield f"**{_points(figures[f'{key}:all:difference'])}**"
    yield f"{100 * spread['low']:+.1f} to {100 * spread['high']:+.1f}"
    yield f"{len(seeds)} of {len(SEEDS)}"


def _points(figure: Mapping[str, float]) -> str:
    return f"{100 * figure['value']:+.1f} ({100 * figure['low']:+.1f} to {100 * figure['high']:+.1f})"
