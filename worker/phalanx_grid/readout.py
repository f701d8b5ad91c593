"""From states to answers: pooling, a head for each student, and sums over the first k."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phalanx_grid.batch import Batch
from phalanx_grid.geometry import Geometry, Pooling
from phalanx_grid.stacked import StackedLinear


def pool(x: Tensor, batch: Batch, pooling: Pooling) -> Tensor:
    """States [k, N*S, H] to one vector a sequence, [k, N, H]: its first token, or the mean over its tokens."""
    states = x.reshape(x.shape[0], batch.size, batch.length, -1)
    if pooling == "cls":
        return states[:, :, 0]
    if batch.full:
        return states.mean(2)
    tokens = batch.mask.to(states.dtype)
    share = tokens / tokens.sum(1, keepdim=True)
    return (share[:, None, :] @ states).squeeze(2)


def prefix_sums(logits: Tensor, weights: Tensor) -> Tensor:
    """Students' own logits [k, N, C] to those of the first 1..k students, [k, N, C].

    Each student was trained on what the ones before it left over, so every prefix is a predictor of its own
    (SYSTEMS section 1). `weights` are the boosting weights a_m, [K].
    """
    scale = weights[: logits.shape[0], None, None]
    return (logits.float() * scale).cumsum(0)


def pooled_sum(pooled: Tensor, weights: Tensor) -> Tensor:
    """The embedding of k students: the weighted sum [N, H] of their pooled states [k, N, H]."""
    return torch.einsum("knh,k->nh", pooled.float(), weights[: pooled.shape[0]])


class Readout(nn.Module):
    """Heads [K, C, H] with an optional pooler [K, H, H] (dense and tanh) before them."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        K, H = geometry.students, geometry.hidden
        self.pooler = StackedLinear(K, H, H) if geometry.pooler else None
        self.head = StackedLinear(K, H, geometry.classes)

    def features(self, pooled: Tensor) -> Tensor:
        """What a head sees, [k, N, H]; heads of tenants see the same."""
        pooled = pooled.to(self.head.weight.dtype)
        return pooled if self.pooler is None else torch.tanh(self.pooler(pooled))

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled states [k, N, H] to each student's own logits [k, N, C]."""
        return self.head(self.features(pooled))  # type: ignore[no-any-return]

    def reset(self, generator: torch.Generator) -> None:
        """BERT's initialisation."""
        self.head.reset(generator)
        if self.pooler is not None:
            self.pooler.reset(generator)
