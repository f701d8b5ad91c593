"""Answers as numbers on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from phalanx_grid import FinalStep
from phalanx_grid.execution.staging import Returning, Returns


@dataclass(frozen=True, slots=True)
class Reading:
    """A readout of one text on the host, both [C]."""

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]


class Coming:
    """The end of the grid on its way to the host: one copy for each size of head, and one for embeddings if wanted."""

    def __init__(self, step: FinalStep, returns: Returns, *, embeddings: bool) -> None:
        self._count = len(step.logits)
        self._by_size: list[tuple[Sequence[int], Returning]] = []
        if step.together is not None:
            self._by_size.append((range(self._count), returns.send(step.together)))
        else:
            for places in _places_by_size(step.logits):
                same = torch.stack([step.logits[place] for place in places])
                self._by_size.append((places, returns.send(same)))
        self._pooled = returns.send(step.pooled) if embeddings else None

    def readings(self) -> list[Reading]:
        """Every text's, in order."""
        found: dict[int, Reading] = {}
        for places, logits in self._by_size:
            found |= zip(places, readings_of(logits.read()), strict=True)
        return [found[place] for place in range(self._count)]

    def embeddings(self) -> Tensor | None:
        """All texts' [N, H], or None if no text wants one."""
        return None if self._pooled is None else self._pooled.read().float()


def _places_by_size(rows: Sequence[Tensor]) -> list[list[int]]:
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.shape[0], []).append(place)
    return list(places.values())


def readings_of(logits: Tensor) -> list[Reading]:
    """Logits [M, C] on the host as numbers."""
    logits = logits.float()
    pairs = zip(logits.tolist(), torch.softmax(logits, dim=-1).tolist(), strict=True)
    return [Reading(tuple(raw), tuple(shares)) for raw, shares in pairs]


def exit_scores(logits: Tensor) -> npt.NDArray[np.float32]:
    """1 - confidence, [M], from logits [M, C] on the host."""
    scores: npt.NDArray[np.float32] = (1.0 - torch.softmax(logits.float(), dim=-1).amax(dim=-1)).numpy()
    return scores
