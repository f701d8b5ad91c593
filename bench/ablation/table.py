"""The table of docs/distillation.md: a line for each variant, a pair of columns for each encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.ablation.plan import TASKS, is_default, is_varied
from bench.ablation.variants import DEFAULT, VARIANTS, Variant
from bench.points import points

Figures = Mapping[str, Mapping[str, Any]]


def markdown(result: Mapping[str, Any]) -> str:
    """Effects on accuracy in points with 95 % intervals, and what is left of the teacher's logits."""
    figures = result["figures"]
    encoders = list(dict.fromkeys([*TASKS, *(run.split(":")[0] for run in result["runs"])]))
    columns = [column for encoder in encoders for column in (f"{encoder}: effect, points", "residual", "runs")]
    lines = ["| choice | changed to | " + " | ".join(columns) + " |", "|---" * (2 + len(columns)) + "|"]
    for variant in VARIANTS:
        cells = [cell for encoder in encoders for cell in _cells(figures, encoder, variant)]
        lines.append(f"| {variant.factor} | {variant.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(figures: Figures, encoder: str, variant: Variant) -> tuple[str, str, str]:
    key = f"{encoder}:{variant.name}"
    effect = figures.get(f"{key}:effect")
    if not is_varied(variant, encoder):
        return "not varied", "", ""
    if effect is None:
        return ("is the default", "", "") if is_default(variant, encoder) else ("not run yet", "", "0")
    told = "" if variant.name == DEFAULT else points(effect)
    runs, tasks = figures[f"{key}:runs"]["value"], figures[f"{key}:tasks"]["value"]
    return told, f"{figures[f'{key}:residual']['value']:.3f}", f"{runs:g} on {tasks:g} tasks"
