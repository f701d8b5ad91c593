"""What students count when k of them answer. Pure tensor arithmetic.

Row k of the prefix weights is fitted by itself, so that every prefix speaks at the teacher's scale. Few validation rows
cannot tell K students' shares apart: the squared error is joined by a ridge that draws them to equal shares, at the one
scale that serves equal shares best.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from phalanx_distill.config import StudentSettings

_SWEEPS: Final = 1000
"""Upper bound of passes of coordinate descent; a few dozen are usual."""
_STILL: Final = 1e-10
"""Descent ends when no share moves by more."""


def weight_row(settings: StudentSettings, answers: Tensor, target: Tensor, steps: list[float]) -> Tensor:
    """The weights [k] of the first k students, float32.

    `answers` [k, N, C] are their centred logits on validation rows, `target` [N, C] the teacher's; `steps` what each
    took off the residual.
    """
    if settings.weight == "one":
        return torch.ones(len(steps))
    if settings.weight == "mean":
        return torch.full((len(steps),), 1.0 / len(steps))
    if settings.weight == "stagewise":
        return torch.tensor(steps)
    return fitted_shares(answers, target, ridge=settings.ridge)


def fitted_shares(answers: Tensor, target: Tensor, *, ridge: float) -> Tensor:
    """The weights a >= 0 that minimise |z - sum a_m s_m|^2 + ridge * sum v_m (a_m - a0)^2, per row and class.

    a0 are equal shares at their best scale, and v_m is the mean square of a student's answers.
    """
    said, wanted = answers.double().flatten(1), target.double().flatten()
    products = said @ said.T / len(wanted)
    towards = said @ wanted / len(wanted)
    strength = ridge * products.diagonal()
    whole = float(products.sum())
    equal = max(float(towards.sum()) / whole, 0.0) if whole > 0 else 0.0
    return _descend(products + strength.diag(), towards + strength * equal, start=equal).float()


def matrix_of(rows: list[Tensor]) -> Tensor:
    """Prefix weights [K, K] from the rows of k = 1..K."""
    matrix = torch.zeros(len(rows), len(rows))
    for k, row in enumerate(rows):
        matrix[k, : k + 1] = row
    return matrix


def _descend(form: Tensor, towards: Tensor, *, start: float) -> Tensor:
    """The a >= 0 with the least a'Qa/2 - b'a, by cyclic coordinate descent: exact enough, and K is small."""
    shares = torch.full_like(towards, start)
    for _ in range(_SWEEPS):
        moved = 0.0
        for m in range(len(shares)):
            if float(form[m, m]) <= 0.0:  # a student that says nothing
                shares[m] = 0.0
                continue
            best = max(float(shares[m] + (towards[m] - form[m] @ shares) / form[m, m]), 0.0)
            moved = max(moved, abs(best - float(shares[m])))
            shares[m] = best
        if moved < _STILL:
            break
    return shares
