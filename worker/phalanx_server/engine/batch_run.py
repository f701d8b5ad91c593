"""One batch through the grid: results exit early, inputs run to the end (SYSTEMS: Apparate, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from phalanx_grid import Batch, FinalStep, RampStep
from phalanx_server.answers import Answer
from phalanx_server.engine.work import Work
from phalanx_server.models import Model

Done = list[tuple[Work, Answer]]


@dataclass(frozen=True, slots=True)
class RampReading:
    """What one ramp said of the base texts of a batch: exit scores (1 - confidence) and agreement, both [M]."""

    row: int
    scores: npt.NDArray[np.float32]
    agrees: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reading:
    """A readout of one text on the host, both [C]."""

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A ramp's softmax [N, C], still on the device."""

    row: int
    probabilities: Tensor


class BatchRun:
    """Iterate over it to run it: each turn gives the texts that are answered now, every text exactly once.

    `ramps` and `exits` (row by text that left early) are complete at the end. `thresholds[r]` belongs to row r.
    """

    def __init__(
        self,
        model: Model,
        works: Sequence[Work],
        *,
        students: int,
        thresholds: Sequence[float],
        plan: str,
        clock: Callable[[], float],
    ) -> None:
        self._model, self._works = model, works
        self._students, self._thresholds, self._plan = students, thresholds, plan
        self._clock, self._start_s = clock, clock()
        self._spoken: list[_Spoken] = []
        self._base = [index for index, work in enumerate(works) if work.item.slot == 0]
        self.ramps: list[RampReading] = []
        self.exits: dict[int, int] = {}
        slots = [work.item.slot for work in works] if len(self._base) < len(works) else None
        self._batch = Batch.pad([work.ids for work in works], model.grid.geometry.pad_id, slots)
        self.padded_tokens = self._batch.size * self._batch.length

    def __iter__(self) -> Iterator[Done]:
        batch = self._batch.to(self._model.device)
        adapters = self._model.adapters if batch.slots is not None else None
        for step in self._model.executor.steps(batch, students=self._students, adapters=adapters):
            done = self._ramp(step) if isinstance(step, RampStep) else self._final(step)
            if done:
                yield done

    def _ramp(self, step: RampStep) -> Done:
        """Answer what is confident here. A ramp that may not answer is read at the end: no wait for the device."""
        spoken = _Spoken(step.row, torch.softmax(step.logits.float(), dim=-1))
        self._spoken.append(spoken)
        threshold = self._thresholds[step.row] if step.row < len(self._thresholds) else 0.0
        if threshold <= 0 or not self._base:
            return []
        scores = _exit_scores(spoken.probabilities)
        leaving = [
            index
            for index in self._base
            if index not in self.exits and not self._works[index].embedding and scores[index] < threshold
        ]
        if not leaving:
            return []
        self.exits |= dict.fromkeys(leaving, step.row)
        readings = _read(step.logits[leaving])
        return [
            (self._works[index], self._answer(index, reading, exit_row=step.row))
            for index, reading in zip(leaving, readings, strict=True)
        ]

    def _final(self, step: FinalStep) -> Done:
        """Answer the rest, and hold every ramp against the whole grid."""
        readings = _read_by_size(step.logits)
        pooled = step.pooled.float().cpu() if any(work.embedding for work in self._works) else None
        self._read_ramps(readings)
        done: Done = []
        for index, work in enumerate(self._works):
            if index not in self.exits:
                embedding = tuple(pooled[index].tolist()) if pooled is not None and work.embedding else ()
                done.append((work, self._answer(index, readings[index], embedding=embedding)))
        return done

    def _read_ramps(self, readings: Sequence[Reading]) -> None:
        if not self._spoken or not self._base:
            return
        final = np.array([readings[index].logits for index in self._base]).argmax(axis=-1)
        for spoken in self._spoken:
            probabilities = spoken.probabilities[self._base]
            agrees = probabilities.argmax(dim=-1).cpu().numpy() == final
            self.ramps.append(RampReading(spoken.row, _exit_scores(probabilities), agrees))

    def _answer(
        self, index: int, reading: Reading, *, exit_row: int | None = None, embedding: tuple[float, ...] = ()
    ) -> Answer:
        return Answer(
            logits=reading.logits,
            probabilities=reading.probabilities,
            embedding=embedding,
            students=self._students,
            exit_row=exit_row,
            plan=self._plan,
            queue_s=max(self._start_s - self._works[index].item.arrival_s, 0.0),
            compute_s=self._clock() - self._start_s,
        )


def _read(logits: Tensor) -> list[Reading]:
    """Logits [M, C] as numbers on the host."""
    logits = logits.float()
    both = torch.stack([logits, torch.softmax(logits, dim=-1)]).cpu().tolist()
    return [Reading(tuple(raw), tuple(shares)) for raw, shares in zip(*both, strict=True)]


def _read_by_size(rows: Sequence[Tensor]) -> list[Reading]:
    """Logits of heads of several sizes: one copy from the device for each size, not one for each text."""
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.shape[0], []).append(place)
    found: dict[int, Reading] = {}
    for same in places.values():
        found |= zip(same, _read(torch.stack([rows[place] for place in same])), strict=True)
    return [found[place] for place in range(len(rows))]


def _exit_scores(probabilities: Tensor) -> npt.NDArray[np.float32]:
    """1 - confidence, [N], on the host."""
    scores: npt.NDArray[np.float32] = (1.0 - probabilities.amax(dim=-1)).cpu().numpy()
    return scores
