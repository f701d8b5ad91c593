"""One batch through the grid: results exit early, inputs run to the end (SYSTEMS: Apparate, section 3).

A device computes behind the host's back: while it runs the first rows it is given the next. So a ramp's answer is asked
for at once, and taken when it has come home; the device never waits for that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phalanx_grid import Batch, RampStep
from phalanx_grid.execution.staging import Returning
from phalanx_server.answers import Answer
from phalanx_server.engine.readings import Coming, Reading, exit_scores, readings_of
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
class _Spoken:
    """A ramp's logits [N, C], on their way to the host or there."""

    row: int
    logits: Returning


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
        self._model, self._works, self._returns = model, works, model.returns
        self._students, self._thresholds, self._plan = students, thresholds, plan
        self._clock, self._start_s = clock, clock()
        self._spoken: list[_Spoken] = []
        self._unread: deque[_Spoken] = deque()
        self._base = [index for index, work in enumerate(works) if work.item.slot == 0]
        self.ramps: list[RampReading] = []
        self.exits: dict[int, int] = {}
        slots = [work.item.slot for work in works] if len(self._base) < len(works) else None
        self._batch = Batch.pad([work.ids for work in works], model.grid.geometry.pad_id, slots)
        self.padded_tokens = self._batch.size * self._batch.length

    def __iter__(self) -> Iterator[Done]:
        adapters = self._model.adapters if self._batch.slots is not None else None
        for step in self._model.executor.steps(self._batch, students=self._students, adapters=adapters):
            if isinstance(step, RampStep):
                if not step.logits.shape[-1]:
                    continue  # without classes there is nothing to be confident of
                spoken = _Spoken(step.row, self._returns.send(step.logits))
                self._spoken.append(spoken)
                self._unread.append(spoken)
                yield from self._early(wait=False)
            else:
                coming = Coming(step, self._returns, embeddings=any(work.embedding for work in self._works))
                yield from self._early(wait=True)
                if done := self._final(coming):
                    yield done

    def _early(self, *, wait: bool) -> Iterator[Done]:
        """Answer what is confident at ramps that have come home, in the order of their rows."""
        while self._unread and (wait or self._unread[0].logits.ready()):
            done = self._ramp(self._unread.popleft())
            if done:
                yield done

    def _ramp(self, spoken: _Spoken) -> Done:
        threshold = self._thresholds[spoken.row] if spoken.row < len(self._thresholds) else 0.0
        if threshold <= 0 or not self._base:
            return []
        logits = spoken.logits.read()
        scores = exit_scores(logits)
        leaving = [
            index
            for index in self._base
            if index not in self.exits and not self._works[index].embedding and scores[index] < threshold
        ]
        self.exits |= dict.fromkeys(leaving, spoken.row)
        readings = readings_of(logits[leaving])
        return [
            (self._works[index], self._answer(index, reading, exit_row=spoken.row))
            for index, reading in zip(leaving, readings, strict=True)
        ]

    def _final(self, coming: Coming) -> Done:
        """Answer the rest, and hold every ramp against the whole grid."""
        readings, pooled = coming.readings(), coming.embeddings()
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
            logits = spoken.logits.read()[self._base]
            agrees = logits.argmax(dim=-1).numpy() == final
            self.ramps.append(RampReading(spoken.row, exit_scores(logits), agrees))

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
