"""One pass of a grid over memory that stays where it is, cut behind each ramp that speaks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import torch
from torch import Tensor

from phalanx_grid.batch import Batch
from phalanx_grid.execution import words
from phalanx_grid.execution.cuda.buckets import Bucket
from phalanx_grid.execution.segments import segments
from phalanx_grid.grid import Grid
from phalanx_grid.readout import pool


class Pass:
    """Words in, logits out. `parts` must run in order, each at most once at a time; running them again overwrites.

    `words` int32 is what `words.write` fills. `ramps` float32 [N, C] and `final` float32 [N, C + H] (logits, then the
    embedding) are results. All three are allocated here, outside of any graph's memory.
    """

    def __init__(self, grid: Grid, bucket: Bucket, ramp_rows: Collection[int] | None) -> None:
        geometry, device = grid.geometry, grid.embeddings.word.device
        self.bucket = bucket
        self.rows = segments(grid, ramp_rows)
        self.words = torch.ones(words.count(bucket.texts, bucket.length), dtype=torch.int32, device=device)
        shape = (bucket.texts, geometry.classes)
        self.ramps = [torch.empty(shape, device=device) for _ in self.rows[:-1]]
        self.final = torch.empty(bucket.texts, geometry.classes + geometry.hidden, device=device)
        self._grid = grid
        self._all = torch.ones((), dtype=torch.bool, device=device).expand(bucket.texts, bucket.length)
        self._batch: Batch | None = None
        self._x: Tensor | None = None
        self._bias: Tensor | None = None

    @property
    def parts(self) -> list[Callable[[], None]]:
        """The first begins with the embeddings, the last ends with the readout, the others end with a ramp."""
        return [partial(self._part, place) for place in range(len(self.rows))]

    @property
    def static_bytes(self) -> int:
        """Memory of words and results."""
        tensors = (self.words, *self.ramps, self.final)
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def forget(self) -> None:
        """Give back what one part leaves to the next. Captured parts go on using that memory in their order."""
        self._batch = self._x = self._bias = None

    def _part(self, place: int) -> None:
        grid, bucket, rows = self._grid, self.bucket, self.rows[place]
        if place == 0:
            self._batch = self._read()
            self._x, self._bias = grid.begin(self._batch, bucket.students)
        assert self._batch is not None
        x = self._x
        for row in rows:
            x = grid.rows[row](x, self._bias, n=bucket.texts, first_only=grid.first_only(row))
        assert x is not None
        self._x = x
        if rows.stop < grid.geometry.rows:
            logits = grid.ramp(rows.stop - 1, x, self._batch)
            assert logits is not None
            self.ramps[place].copy_(logits[-1])
        else:
            self._finish(x, self._batch)

    def _read(self) -> Batch:
        texts, length = self.bucket.texts, self.bucket.length
        if self.bucket.full:  # a mask that nothing looks at is not worth two launches
            return Batch(words.ids(self.words, texts=texts, length=length), self._all, full=True)
        return words.read(self.words, texts=texts, length=length, full=False)

    def _finish(self, x: Tensor, batch: Batch) -> None:
        grid = self._grid
        pooled = x if grid.first_only(grid.geometry.rows - 1) else pool(x, batch, grid.geometry.pooling)
        step = grid.finish(pooled)
        assert step.together is not None
        torch.cat([step.together, step.pooled], dim=1, out=self.final)
