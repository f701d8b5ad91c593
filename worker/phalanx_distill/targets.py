"""What a student is fitted to: the teacher's logits, and if wanted its last hidden state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F


def centred(logits: Tensor) -> Tensor:
    """Logits [..., C] less their mean over the classes.

    Softmax does not see that mean, so a student should not spend itself on it.
    """
    return logits - logits.mean(dim=-1, keepdim=True)


def logit_loss(answer: Tensor, residual: Tensor) -> Tensor:
    """Mean squared error between a student's logits [N, C] and the centred residual [N, C]."""
    return F.mse_loss(centred(answer.float()), residual)


def _none(pooled: Tensor, teacher: Tensor) -> Tensor:
    return torch.zeros((), device=pooled.device)


def _last(pooled: Tensor, teacher: Tensor) -> Tensor:
    return F.mse_loss(pooled.float(), teacher)


HiddenLoss = Callable[[Tensor, Tensor], Tensor]
"""(a student's pooled output [N, H], the teacher's [N, H]) -> a scalar."""

HIDDEN_LOSSES: Final[dict[str, HiddenLoss]] = {"none": _none, "last": _last}
"""By the name of the setting `students.hidden`."""
