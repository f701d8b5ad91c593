"""Batches without padding on CUDA: all tokens in one row, attention over sequences of several lengths in one kernel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from phalanx_grid.batch import Batch
from phalanx_grid.cell import Row
from phalanx_grid.execution.cuda.devices import need_bf16, need_capability
from phalanx_grid.execution.executor import Executor, rounding
from phalanx_grid.execution.segments import segments
from phalanx_grid.execution.stacked import Stacked
from phalanx_grid.execution.staging import Inbound
from phalanx_grid.geometry import Geometry
from phalanx_grid.grid import Grid
from phalanx_grid.outputs import FinalStep, RampStep
from phalanx_grid.readout import pool

if TYPE_CHECKING:
    from phalanx_grid.slots import AdapterTable

_CAPABILITY = 8
"""Of the flash kernels."""
_HEAD_SIZES = range(8, 257, 8)
"""That flash kernels take."""
_PADDING = 0.1
"""With less padding than this a packed pass saves less than packing costs, and the batch runs padded."""

Attend = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], Tensor]
"""Queries [Tq, heads, D], keys and values [T, heads, D], the int32 bounds [B+1] and the longest of each: to queries."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Where the T tokens of a batch stand, for k students one behind the other.

    `index` int64 [T] are their places in the padded batch [N*S], `bounds` int32 [k*N+1] where sequences begin and end,
    `firsts` int64 [N] the places of first tokens among the T, `longest` the most tokens of a sequence.
    """

    index: Tensor
    bounds: Tensor
    firsts: Tensor
    longest: int

    @classmethod
    def of(cls, batch: Batch, k: int, device: torch.device) -> Tokens:
        """For a batch on the host: nothing has to wait for the device."""
        lengths = batch.mask.sum(1)
        ends = lengths.repeat(k).cumsum(0)
        bounds = F.pad(ends, (1, 0)).to(torch.int32)
        index = batch.mask.flatten().nonzero().squeeze(1)
        firsts = lengths.cumsum(0) - lengths
        move = partial(_moved, device=device)
        return cls(move(index), move(bounds), move(firsts), batch.length)


class Varlen:
    """Padded batches packed, all students' sequences in one attention. Full batches and adapters go to `stacked`."""

    name = "varlen"

    def __init__(self, grid: Grid, attend: Attend) -> None:
        if grid.relative is not None:
            raise ValueError("flash attention takes no relative positions, which family mpnet has; use auto")
        self.tolerance = rounding(grid)
        self._grid, self._stacked, self._attend = grid, Stacked(grid), attend
        self._device = grid.embeddings.word.device
        self._inbound = Inbound(self._device, grid.geometry.pad_id)

    def prepare(self) -> None:
        """Run a batch with padding: the packed way loads modules and kernels where it is first taken."""
        geometry = self._grid.geometry
        batch = Batch.pad([[0] * min(8, geometry.max_tokens), [0]], geometry.pad_id)
        for _ in self.steps(batch, students=geometry.students):
            pass

    @torch.inference_mode()
    def steps(
        self,
        batch: Batch,
        *,
        students: int,
        adapters: AdapterTable | None = None,
        ramp_rows: Collection[int] | None = None,
    ) -> Iterator[RampStep | FinalStep]:
        """As `Executor.steps`. A batch that is on the device already runs padded: its lengths are not known here."""
        grid, k = self._grid, self._grid.checked(students)
        tenants = adapters is not None and batch.adapted
        if tenants or not worth_packing(batch):
            yield from self._stacked.steps(batch, students=k, adapters=adapters, ramp_rows=ramp_rows)
            return
        tokens, inside = Tokens.of(batch, k, self._device), self._inbound.take(batch)
        embedded = grid.embeddings(inside.ids).flatten(0, 1)
        x = embedded.index_select(0, tokens.index).expand(k, -1, -1)
        for rows in segments(grid, ramp_rows):
            for index in rows:
                x = self._row(index, x, tokens)
            if rows.stop < grid.geometry.rows:
                logits = grid.ramp(rows.stop - 1, _padded(x, tokens, inside), inside)
                assert logits is not None
                yield RampStep(rows.stop - 1, logits[-1])
        first_only = grid.first_only(grid.geometry.rows - 1)
        yield grid.finish(x if first_only else pool(_padded(x, tokens, inside), inside, grid.geometry.pooling))

    def _row(self, index: int, x: Tensor, tokens: Tokens) -> Tensor:
        """States [k, T, H] before a row to those after it; those of first tokens, [k, N, H], where no more is read."""
        row = self._grid.rows[index]
        assert isinstance(row, Row)
        k, _, hidden = x.shape
        q, key, value = row.qkv(x).view(k, -1, 3, row.heads, hidden // row.heads).unbind(2)
        bounds, longest = tokens.bounds, tokens.longest
        if self._grid.first_only(index):
            q, x = q.index_select(1, tokens.firsts), x.index_select(1, tokens.firsts)
            bounds, longest = torch.arange(len(bounds), dtype=torch.int32, device=x.device), 1
        q, key, value = (part.flatten(0, 1) for part in (q, key, value))
        mixed = self._attend(q, key, value, bounds, tokens.bounds, longest, tokens.longest)
        return row.close(x, mixed.reshape(k, -1, hidden))


def worth_packing(batch: Batch) -> bool:
    """Whether a batch on the host has enough padding to leave out."""
    if batch.full or batch.ids.device.type != "cpu":
        return False
    return bool(batch.mask.float().mean() < 1 - _PADDING)


def need_head_size(geometry: Geometry) -> None:
    """Refuse heads that the kernel does not take.

    Raises:
        ValueError: their size is no multiple of 8, or beyond 256.
    """
    if geometry.head_size not in _HEAD_SIZES:
        said = f"multiples of 8 up to {_HEAD_SIZES[-1]}, this grid's are {geometry.head_size}"
        raise ValueError(f"flash attention takes heads whose size is one of the {said}; use auto")


def flash(q: Tensor, key: Tensor, value: Tensor, q_at: Tensor, at: Tensor, q_longest: int, longest: int) -> Tensor:
    """torch's kernel for sequences of several lengths."""
    from torch.nn.attention.varlen import varlen_attn

    out: Tensor = varlen_attn(q, key, value, q_at, at, q_longest, longest)  # type: ignore[assignment]
    return out


def one_by_one(q: Tensor, key: Tensor, value: Tensor, q_at: Tensor, at: Tensor, q_longest: int, longest: int) -> Tensor:
    """What `flash` computes, sequence by sequence, on any device."""
    parts = (_sequences(q, q_at), _sequences(key, at), _sequences(value, at))
    mixed = [F.scaled_dot_product_attention(*own) for own in zip(*parts, strict=True)]
    return torch.cat([own[0].transpose(0, 1) for own in mixed])


def _sequences(tokens: Tensor, at: Tensor) -> list[Tensor]:
    """[T, heads, D] cut at bounds, each [1, heads, S, D]."""
    return [own.transpose(0, 1).unsqueeze(0) for own in torch.split(tokens, at.diff().tolist())]


def _padded(x: Tensor, tokens: Tokens, batch: Batch) -> Tensor:
    """States [k, T, H] back in their places, [k, N*S, H]; zeros elsewhere."""
    return x.new_zeros(x.shape[0], batch.ids.numel(), x.shape[2]).index_copy_(1, tokens.index, x)


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def build(grid: Grid, device: torch.device, threads: int) -> Executor:
    """For the registry."""
    need_capability(device, _CAPABILITY)
    need_bf16(grid)
    need_head_size(grid.geometry)
    executor = Varlen(grid, flash)
    executor.prepare()
    return executor
