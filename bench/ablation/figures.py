"""Figures of variants, and what they amount to over seeds and tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.ablation.kept import Kept, compared
from bench.ablation.variants import DEFAULT, VARIANTS
from bench.accuracy.merging import over_seeds, over_tasks
from bench.accuracy.reading import exact
from bench.record import Figure
from phalanx_distill.intervals import Difference, paired_difference, wilson


def figures_of(kept: Kept, default: Kept) -> dict[str, Figure]:
    """Figures of one variant by the last part of their key; `default` was measured on the same rows."""
    accuracy = wilson(kept.right.count("1"), len(kept.right))
    return {
        "accuracy": Figure(value=accuracy.share, low=accuracy.low, high=accuracy.high, unit="share"),
        "effect": _difference(paired_difference(compared(kept, default))),
        "gap": _difference(paired_difference(kept.against_teacher)),
        "residual": exact(kept.residual, "share"),
    }


def summary(figures: Mapping[str, Figure], runs: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """Effects, gaps and residuals of each encoder's variants, over all seeds and tasks that were run."""
    for encoder in dict.fromkeys(run.split(":")[0] for run in runs):
        for variant in VARIANTS:
            own = [run for run in runs if run.startswith(f"{encoder}:") and run.endswith(f":{variant.name}")]
            by_task: dict[str, list[str]] = {}
            for run in own:
                by_task.setdefault(run.split(":")[1], []).append(run)
            for what in ("effect", "gap", "residual") if own else ():
                means = {
                    task: over_seeds([figures[f"{run}:{what}"] for run in seeds]) for task, seeds in by_task.items()
                }
                yield f"{encoder}:{variant.name}:{what}", over_tasks(means)
            if own:
                yield f"{encoder}:{variant.name}:tasks", exact(len(by_task), "tasks")
                yield f"{encoder}:{variant.name}:runs", exact(len(own), "runs")


def key_of(encoder: str, task: str, seed: int, variant: str = DEFAULT) -> str:
    """A run's name in the figures."""
    return f"{encoder}:{task}:s{seed}:{variant}"


def _difference(found: Difference) -> Figure:
    return Figure(value=found.value, low=found.low, high=found.high, unit="share")
