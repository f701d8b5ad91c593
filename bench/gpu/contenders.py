"""What is timed: from token ids on the host to logits on the host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from torch import Tensor

from bench.gpu.scale import Scale
from bench.gpu.watch import Part
from phalanx_grid import Batch, FinalStep, Grid
from phalanx_grid.execution import Executor
from phalanx_grid.execution.staging import Returns

PAD_ID = 0
Ids = Sequence[Sequence[int]]
Answers = Callable[[Ids], Tensor]
"""Token ids of a batch to logits float32 [N, C] on the host."""


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
    """Executors over a grid, all or some, that this device has and that there is time for."""
    for name, make in scale.executors.items():
        if names is not None and name not in names:
            continue
        if name == "compiled" and part.left() < scale.compile_s["rows"]:
            part.skip("compiled: too little time to compile")
            continue
        try:
            yield name, make(grid)
        except ValueError as error:
            part.skip(f"{name}: {error}")


def in_transformers(model: Callable[..., object], scale: Scale) -> Answers:
    """A careful user's way: page-locked memory both ways, and no mask where nothing is padded."""

    @torch.inference_mode()
    def answer(ids: Ids) -> Tensor:
        batch = Batch.pad(ids, PAD_ID)
        inside = _moved(batch.ids, scale)
        mask = None if batch.full else _moved(batch.mask.long(), scale)
        output = model(input_ids=inside, attention_mask=mask)
        logits: Tensor = output.logits.float().cpu()  # type: ignore[attr-defined]
        return logits

    return answer


def _moved(tensor: Tensor, scale: Scale) -> Tensor:
    return tensor.pin_memory().to(scale.device, non_blocking=True) if scale.real else tensor
