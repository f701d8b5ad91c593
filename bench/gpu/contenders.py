"""What is timed: from token ids on the host to logits on the host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import torch
from torch import Tensor

from bench.gpu.scale import Scale
from bench.gpu.timing import Call
from bench.gpu.watch import Part
from phalanx_grid import Batch, FinalStep, Grid
from phalanx_grid.execution import Executor
from phalanx_grid.execution.staging import Returns

PAD_ID = 0
Ids = Sequence[Sequence[int]]
Answers = Callable[[Ids], Tensor]
"""Token ids of a batch to logits float32 [N, C] on the host."""

_TRIED: Final[Ids] = ([1, 2, 3, 4, 5], [6])
"""Padded, so that no executor hands it to another. A length that is no number of students: compilers take equal sizes
for one."""


def in_engine(executor: Executor, students: int) -> Answers:
    """The way the worker's engine goes."""
    returns = Returns()

    def answer(ids: Ids) -> Tensor:
        *_, final = executor.steps(Batch.pad(ids, PAD_ID), students=students, ramp_rows=())
        assert isinstance(final, FinalStep)
        assert final.together is not None
        return returns.send(final.together).read()

    return answer


def usable(
    scale: Scale, part: Part, grid: Grid, names: Collection[str] | None = None
) -> Iterator[tuple[str, Executor]]:
    """Executors over a grid, all or some, that this device has, that answer rightly and that there is time for.

    Each has answered a batch: kernels and compilers are first needed there.
    """
    for name in scale.executors if names is None else names:
        executor = None
        if name in part.wrong:
            part.skip(f"{name}: its answers are wrong")
        elif name == "compiled" and part.left() < scale.compile_s["rows"]:
            part.skip("compiled: too little time to compile")
        else:
            with part.attempt(name):
                made = scale.executors[name](grid)
                in_engine(made, grid.geometry.students)(_TRIED)
                executor = made
        if executor is not None:
            yield name, executor


def warmed(part: Part, what: str, answers: Mapping[str, Answers], ids: Ids, times: int) -> dict[str, Call]:
    """Calls with a batch, each after a few that are not timed; who fails there is left out."""
    calls: dict[str, Call] = {}
    for name, answer in answers.items():
        with part.attempt(f"{name} at {what}"):
            for _ in range(times):
                answer(ids)
            calls[name] = partial(answer, ids)
    return calls


def in_transformers(model: Callable[..., object], scale: Scale, *, cudnn: bool) -> Answers:
    """A careful user's way: page-locked memory both ways, and no mask where nothing is padded.

    `cudnn` lets torch's fused attention take cuDNN's kernels during the call, as it does by default where it has them;
    this engine switches them off.
    """

    @torch.inference_mode()
    def answer(ids: Ids) -> Tensor:
        batch = Batch.pad(ids, PAD_ID)
        inside = _moved(batch.ids, scale)
        mask = None if batch.full else _moved(batch.mask.long(), scale)
        with _cudnn_attention(cudnn):
            output = model(input_ids=inside, attention_mask=mask)
        logits: Tensor = output.logits.float().cpu()  # type: ignore[attr-defined]
        return logits

    return answer


@contextmanager
def _cudnn_attention(allowed: bool) -> Iterator[None]:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(allowed)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def _moved(tensor: Tensor, scale: Scale) -> Tensor:
    return tensor.pin_memory().to(scale.device, non_blocking=True) if scale.real else tensor
