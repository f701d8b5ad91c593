"""A small forward pass of every model: the only proof that the device still works."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from phalanx_grid import Batch, FinalStep
from phalanx_server.models import Model


def check_device(models: Sequence[Model]) -> str:
    """Run one short text through one student of each model; says what is wrong, or nothing.

    A healthy device gives finite numbers; a dying one raises, or gives others.
    """
    for model in models:
        try:
            batch = Batch.pad([model.example], model.grid.geometry.pad_id).to(model.device)
            for step in model.executor.steps(batch, students=1):
                if isinstance(step, FinalStep) and not bool(torch.isfinite(step.pooled).all()):
                    return f"{model.name}: the device computes numbers that are not finite"
        except Exception as error:
            return f"{model.name}: {type(error).__name__}: {error}"
    return ""
