"""A trace: how many texts arrive in each second."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from phalanx_operator.simulate.errors import SimulationError

LONGEST_S: Final = 7 * 86_400
"""A week: some minutes of computing for each policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Texts by second, from the first on; `about` says in a sentence what it stands for."""

    name: str
    texts: tuple[float, ...]
    about: str = ""

    def __post_init__(self) -> None:
        if not any(self.texts):
            raise SimulationError(f"trace {self.name}: nothing arrives in it")
        if len(self.texts) > LONGEST_S:
            hours = len(self.texts) / 3600
            raise SimulationError(f"trace {self.name}: {hours:.0f} hours; at most a week can be replayed, so cut it")

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return len(self.texts)

    def scaled(self, factor: float) -> Trace:
        """The same shape with so many times the texts.

        Raises:
            SimulationError: the factor is not a positive number.
        """
        if not (math.isfinite(factor) and factor > 0):
            raise SimulationError(f"the scale {factor:g} is not above 0")
        return replace(self, texts=tuple(factor * texts for texts in self.texts))


def trace_of(name: str, slots: Iterable[tuple[float, float, float]]) -> Trace:
    """The trace of (start in seconds, length in seconds, texts) stretches; texts spread evenly over theirs.

    Raises:
        SimulationError: it holds nothing, or is too long.
    """
    known = list(slots)
    end_s = max((start_s + seconds for start_s, seconds, _ in known), default=0.0)
    if end_s > LONGEST_S:
        raise SimulationError(f"trace {name}: {end_s / 3600:.0f} hours; at most a week can be replayed, so cut it")
    texts = [0.0] * max(math.ceil(end_s), 1, *(int(start_s) + 1 for start_s, _, _ in known or [(0.0, 0.0, 0.0)]))
    for start_s, seconds, count in known:
        parts = {
            second: min(second + 1.0, start_s + seconds) - max(float(second), start_s)
            for second in range(int(start_s), math.ceil(start_s + seconds))
        }
        whole_s = sum(parts.values())
        # A stretch may be a moment, or too short to tell from one.
        for second, part_s in parts.items() if whole_s > 0 else [(int(start_s), 1.0)]:
            texts[second] += count * part_s / (whole_s or 1.0)
    return Trace(name=name, texts=tuple(texts))
