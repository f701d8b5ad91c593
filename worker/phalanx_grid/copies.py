"""Copies to a CUDA device beside what computes there: weights of gigabytes come while others are served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn

_PRIORITY: Final = -2
"""torch deals out streams in turn, from a pool for each priority. Those that capture graphs come out of the pool of 0,
those that bring answers home out of the pool of -1: a copy must get into neither."""

_of_thread = threading.local()


@contextmanager
def beside(device: torch.device | str) -> Iterator[None]:
    """Copies in the block go on a stream of this thread's own, and are through when it ends; on a CPU nothing differs.

    What outlives the block must be allocated before it. Memory belongs to the stream that it was asked for on, and once
    let go is given to the next who asks there: to a copy, while what computes may still read it.
    """
    place = torch.device(device)
    if place.type != "cuda":
        yield
        return
    stream = _stream(place)
    # Memory that was allocated may have been let go just now by what computes, and be read until that is done.
    stream.wait_stream(torch.cuda.current_stream(place))
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        stream.synchronize()


@torch.no_grad()
def to_device(module: nn.Module, device: torch.device | str) -> None:
    """Move all that a module's state dict names; what lies on a CPU and belongs there stays as it is, mapped or not."""
    place = torch.device(device)
    if place.type == "cpu":
        module.to(place)
        return
    source = module.state_dict()
    module.to_empty(device=place)
    with beside(place):
        for name, tensor in module.state_dict().items():
            tensor.copy_(source[name], non_blocking=True)


def _stream(device: torch.device) -> torch.cuda.Stream:
    streams: dict[torch.device, torch.cuda.Stream] = _of_thread.__dict__.setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device, priority=_PRIORITY)
    return streams[device]
