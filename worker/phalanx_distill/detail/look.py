"""All of it at once."""

from __future__ import annotations

import msgspec
from torch import Tensor

from phalanx_distill.detail.calibration import Reliability, reliability
from phalanx_distill.detail.classes import ClassReading, Confusion, Differing, by_class, confusions, differing
from phalanx_distill.detail.exits import ExitReading, exits


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. Without a teacher there are no confusions; without ramps no exits."""

    classes: tuple[ClassReading, ...]
    reliability: tuple[Reliability, ...]
    confusions: tuple[Confusion, ...] = ()
    differing: tuple[Differing, ...] = ()
    exits: tuple[ExitReading, ...] = ()


def look(logits: Tensor, expected: Tensor, *, teacher: Tensor | None = None, ramps: tuple[Tensor, ...] = ()) -> Detail:
    """Look at prefix logits [K, N, C] against class indices [N].

    `teacher` are its logits [N, C]; `ramps[l]` the prefix logits of the ramp after row l, [K, N, C].
    """
    answers = logits.argmax(-1)
    taught = None if teacher is None else teacher.argmax(-1)
    predictors = [reliability(own, expected, students=k) for k, own in enumerate(logits, start=1)]
    if teacher is not None:
        predictors.insert(0, reliability(teacher, expected, students=0))
    return Detail(
        classes=by_class(answers, expected, taught, classes=logits.shape[-1]),
        reliability=tuple(predictors),
        confusions=() if taught is None else confusions(answers[-1], taught, expected),
        differing=() if taught is None else differing(logits[-1], taught, expected),
        exits=exits(ramps, logits, expected),
    )
