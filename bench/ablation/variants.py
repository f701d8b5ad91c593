"""The variants: the default, and one choice changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Variant:
    """One choice. `students` and `transfer` are settings of these sections, `depth` a share of the teacher's rows."""

    name: str
    factor: str
    title: str
    students: Settings = field(default_factory=dict)
    transfer: Settings = field(default_factory=dict)
    depth: str = "default"


DEFAULT: Final = "default"

VARIANTS: Final = (
    Variant(DEFAULT, "", "the default"),
    Variant("residual", "target", "the residual of earlier students", {"target": "residual"}),
    Variant("residual-half", "target", "the residual, shrinkage 0.5", {"target": "residual", "shrinkage": 0.5}),
    Variant("labels", "target", "labels beside the teacher", {"label_weight": 0.5}),
    Variant("mean", "weights", "equal", {"weight": "mean"}),
    Variant("unridged", "weights", "fitted without a ridge", {"ridge": 0.0}),
    Variant("hidden-chunk", "hidden states", "the teacher's, chunk by chunk", {"hidden": "chunk"}),
    Variant("hidden-last", "hidden states", "the teacher's last", {"hidden": "last"}),
    Variant("spread", "start", "spread rows, alike for all", {"rows_from": "spread"}),
    Variant("consecutive", "start", "the first rows", {"rows_from": 0}),
    Variant("embeddings", "start", "embeddings trained by the first", {"train_embeddings": True}),
    Variant("no-text", "transfer text", "training rows alone", transfer={"neighbours": 0}),
    Variant(
        "pool", "transfer text", "other sets in place of made-up text", transfer={"neighbours": 0, "sources": ["sets"]}
    ),
    Variant("all-text", "transfer text", "made-up text and all packaged text", transfer={"sources": ["all"]}),
    Variant("half", "depth", "half of the teacher's rows", depth="half"),
    Variant("third", "depth", "a third of the teacher's rows", depth="third"),
    Variant("sixth", "depth", "a sixth of the teacher's rows", depth="sixth"),
    Variant("joint-random", "joint training", "of a random prefix", {"joint": {"epochs": 1, "prefixes": "random"}}),
    Variant("joint-all", "joint training", "of all prefixes", {"joint": {"epochs": 1, "prefixes": "all"}}),
)


def named(name: str) -> Variant:
    """The variant of a name.

    Raises:
        ValueError: there is none.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise ValueError(f"no variant {name!r}; there are {', '.join(variant.name for variant in VARIANTS)}")
