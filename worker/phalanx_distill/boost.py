"""What boosting takes off. Pure tensor arithmetic.

Student m is fitted to r = z - sum over j<m of nu a_j s_j(x), where z are the teacher's centred logits and nu the
shrinkage; its step a_m is the one that leaves the least squared residual, <r, s> / <s, s>: forward stagewise additive
modelling, as we read Academus (arXiv 2408.12526), with the shrinkage of gradient boosting (Friedman 2001).
"""

from __future__ import annotations

from typing import Final

from torch import Tensor

MAX_STEP: Final = 2.0
"""Upper bound of a step: beyond it a student is not trusted to be scaled, only trained further."""


def residual(target: Tensor, answer: Tensor, step: float) -> Tensor:
    """What is left over of the target [N, C] after `step` times an answer [N, C]."""
    return target - step * answer


def best_step(left: Tensor, answer: Tensor) -> float:
    """<r, s> / <s, s> over all rows and classes, within [0, MAX_STEP]; 0 for an answer that is zero.

    A negative value would mean that a student speaks against its own target: it is silenced instead.
    """
    square = float(answer.double().square().sum())
    if square == 0.0:
        return 0.0
    return min(max(float((left.double() * answer.double()).sum()) / square, 0.0), MAX_STEP)


def mean_square(left: Tensor) -> float:
    """The mean squared residual of [N, C]: what boosting drives down."""
    return float(left.double().square().mean())


def gain(before: float, after: float) -> float:
    """The share by which a student lowered the mean squared residual; 0 when there was none."""
    return 0.0 if before == 0.0 else 1.0 - after / before
