"""Layers whose parameters are stacked over students: one call computes the first k of them.

Weights are sliced as views (`weight[:k]`), so a change of k copies nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """K linear layers side by side: weight [K, out, in], bias [K, out]."""

    def __init__(self, students: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(students, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(students, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[k, T, in] to [k, T, out]; student m sees slice m."""
        k = x.shape[0]
        if k == 1:
            return F.linear(x, self.weight[0], self.bias[0])
        return torch.baddbmm(self.bias[:k].unsqueeze(1), x, self.weight[:k].transpose(1, 2))

    @torch.no_grad()
    def reset(self, generator: torch.Generator) -> None:
        """BERT's initialisation: normal with deviation 0.02, no bias."""
        self.weight.normal_(std=0.02, generator=generator)
        self.bias.zero_()


class StackedNorm(nn.Module):
    """K layer norms side by side: weight and bias [K, H]."""

    def __init__(self, students: int, hidden: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(students, hidden))
        self.bias = nn.Parameter(torch.empty(students, hidden))

    def forward(self, x: Tensor) -> Tensor:
        """[k, T, H] to the same shape."""
        k, hidden = x.shape[0], x.shape[-1:]
        if k == 1:
            return F.layer_norm(x, hidden, self.weight[0], self.bias[0], self.eps)
        normed = F.layer_norm(x, hidden, eps=self.eps)
        return torch.addcmul(self.bias[:k].unsqueeze(1), normed, self.weight[:k].unsqueeze(1))

    @torch.no_grad()
    def reset(self) -> None:
        """The identity after normalisation."""
        self.weight.fill_(1.0)
        self.bias.zero_()
