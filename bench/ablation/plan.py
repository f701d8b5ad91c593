"""What the variants have in common, by encoder: as small as tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.ablation.variants import Variant
from phalanx_distill.config import DistillSettings, parse_settings

TASKS: Final[Mapping[str, tuple[str, ...]]] = {
    "minilm": ("trec50", "amazon", "nyt", "movie"),
    "mpnet": ("trec50", "amazon"),
}
"""Four tasks that share no texts, the quickest first."""
SEEDS: Final = (0, 1)
FACTORS: Final[Mapping[str, frozenset[str]]] = {
    "mpnet": frozenset({"target", "weights", "start", "transfer text", "depth"}),
}
"""What is varied with an encoder; everything with those that are not here. A pass of MPNet costs eight of MiniLM's."""

ROWS: Final[Mapping[str, Mapping[str, int]]] = {
    "minilm": {"default": 3, "half": 3, "third": 2, "sixth": 1},
    "mpnet": {"default": 4, "half": 6, "third": 4, "sixth": 2},
}
"""Rows of a student by the name of its depth; the accuracy benchmark's defaults, MPNet's those of trec50."""
TEXTS: Final = {"minilm": 9_000, "mpnet": 6_000}
"""Transfer texts of every variant that has so many: what differs is which, not how many."""
STUDENTS: Final = 2
"""The fewest that show what students have from each other."""


def is_varied(variant: Variant, encoder: str) -> bool:
    """Whether a variant is measured with an encoder; the default always is."""
    return not variant.factor or variant.factor in FACTORS.get(encoder, {variant.factor})


def is_default(variant: Variant, encoder: str) -> bool:
    """Whether a variant of the depth is what an encoder's default has anyway."""
    rows = ROWS.get(encoder, {})
    return variant.depth != "default" and rows.get(variant.depth) == rows.get("default")


def settings_of(variant: Variant, *, encoder: str, seed: int, base: Mapping[str, Any] | None = None) -> DistillSettings:
    """A variant's settings. `base` replaces the plan for other encoders: it has all but the variant's own."""
    plan: dict[str, Any] = dict(base) if base is not None else _plan(encoder, variant.depth)
    students = {**plan.get("students", {}), **variant.students}
    transfer = {**plan.get("transfer", {}), **variant.transfer}
    return parse_settings(DistillSettings, {**plan, "seed": seed, "students": students, "transfer": transfer})


def _plan(encoder: str, depth: str) -> dict[str, Any]:
    """Ramps do not matter here: they are trained as little as possible."""
    return {
        "students": {"count": STUDENTS, "rows": ROWS[encoder][depth], "fit": {"epochs": 1}},
        "transfer": {"max_texts": TEXTS[encoder]},
        "ramps": {"max_texts": 100, "fit": {"epochs": 1}},
    }
