"""Between host and device: batches on their way in, answers on their way back, through page-locked memory.

torch keeps page-locked blocks for reuse, and gives one out again only after the copies that were started from or into
it are through (it records an event for each). So nothing can overtake a copy, and nothing is locked anew in steady
operation. On a CPU all of it costs nothing: tensors are passed on as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phalanx_grid.batch import Batch
from phalanx_grid.execution import words


class Inbound:
    """Takes batches from the host to where a grid computes: one copy each, on the stream that computes.

    The engine waits for a batch's answers before it makes the next batch, so that there is nothing which the copy of a
    few KB could overlap with; another stream's events would cost more than it does.
    """

    def __init__(self, device: torch.device, pad_id: int) -> None:
        self._device, self._pad_id = device, pad_id

    def take(self, batch: Batch) -> Batch:
        """The batch on the device; itself where it is there already. `slots` stays on the host."""
        if batch.ids.device.type == self._device.type:
            return batch
        texts, length = batch.size, batch.length
        inside = torch.empty(words.count(texts, length), dtype=torch.int32, device=self._device)
        self.write(batch, inside, texts=texts, length=length)
        moved = words.read(inside, texts=texts, length=length, full=batch.full)
        return Batch(moved.ids, moved.mask, batch.slots, batch.full)

    def write(self, batch: Batch, into: Tensor, *, texts: int, length: int) -> None:
        """Put a batch as words of `texts` by `length` into memory of the device, in the order of its stream."""
        if batch.ids.device.type == self._device.type:
            words.write(batch, into, texts=texts, length=length, pad_id=self._pad_id)
            return
        locked = torch.empty(into.shape, dtype=into.dtype, pin_memory=True)
        words.write(batch, locked, texts=texts, length=length, pad_id=self._pad_id)
        into.copy_(locked, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Returning:
    """A tensor on its way to the host. `arrived` is None where it was there from the start."""

    host: Tensor
    arrived: torch.cuda.Event | None = None

    def ready(self) -> bool:
        """Whether `read` would not wait."""
        return self.arrived is None or self.arrived.query()

    def read(self) -> Tensor:
        """The tensor on the host; waits for this copy alone, not for what the device has been given since."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.host


class Returns:
    """Sends answers to the host on a stream beside the one that computes, so that neither waits for the other.

    A ramp's answer gets home while the rows behind the ramp run. Used by one thread.
    """

    def __init__(self) -> None:
        self._side: torch.cuda.Stream | None = None

    def send(self, tensor: Tensor) -> Returning:
        """Start the copy of what the current stream has computed so far."""
        if tensor.device.type != "cuda":
            return Returning(tensor)
        if self._side is None:
            # Streams are shared out of a pool for each priority: those that capture graphs come out of the other.
            self._side = torch.cuda.Stream(tensor.device, priority=-1)
        self._side.wait_stream(torch.cuda.current_stream(tensor.device))
        with torch.cuda.stream(self._side):
            host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            host.copy_(tensor, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record(self._side)
        tensor.record_stream(self._side)  # its memory must not be given out again before the copy is through
        return Returning(host, arrived)
