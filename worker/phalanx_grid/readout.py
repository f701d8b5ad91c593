"""From states to answers: pooling, a head for each student, and sums over the first k.

Prefix weights are a lower-triangular matrix [K, K]: row k-1 holds what each of the first k students counts when k
of them answer. A row of its own for every k keeps a small prefix at the full scale of the logits, so that its
probabilities mean the same as those of all students.
"""

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
    """Students' own logits [k, N, C] to those of the first 1..k students, [k, N, C]: every prefix is a predictor.

    `weights` are prefix weights [K, K].
    """
    k = logits.shape[0]
    with torch.autocast(logits.device.type, enabled=False):  # a product of matrices would be rounded to 16 bits there
        return (weights[:k, :k] @ logits.float().flatten(1)).view(logits.shape)


def pooled_sum(pooled: Tensor, weights: Tensor) -> Tensor:
    """The embedding of k students: the sum [N, H] of their pooled states [k, N, H], by prefix weights [K, K]."""
    k = pooled.shape[0]
    return torch.einsum("knh,k->nh", pooled.float(), weights[k - 1, :k])


def prefix_weights(weights: Tensor) -> Tensor:
    """The matrix [K, K] for weights [K] that hold for every prefix, or a checked copy of a matrix.

    Raises:
        ValueError: another shape, or a student that counts in a prefix that it does not belong to.
    """
    size = weights.shape[-1] if weights.dim() else 0
    matrix = weights.expand(size, size).tril() if weights.dim() == 1 else weights.clone()
    if matrix.shape != (size, size) or not size:
        raise ValueError(f"weights of shape {list(weights.shape)} are neither [K] nor [K, K]")
    if not torch.equal(matrix, matrix.tril()):
        raise ValueError("weights above the diagonal are not zero: a student counts before it answers")
    return matrix


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
