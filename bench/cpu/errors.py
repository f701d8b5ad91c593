"""That all compute the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.cpu.contenders import Contender
from bench.cpu.scale import Cell
from bench.cpu.subject import Subject
from bench.record import Figure

_TEXTS: Final = 8
_EXACT: Final = 1e-3


def errors(cell: Cell, subject: Subject, contenders: Sequence[Contender]) -> dict[str, Figure]:
    """How far each is from the fp32 answer; every contender runs once, which also warms it up.

    Raises:
        RuntimeError: somebody computes something else.
    """
    ids = subject.ids[:_TEXTS]
    answers = {each.name: each.answer(ids) for each in contenders}
    figures = {}
    for each in contenders:
        if each.like not in answers:  # fewer students than all, whose fp32 is not measured
            continue
        exact = answers[each.like]
        error = float((answers[each.name] - exact).abs().max() / exact.abs().max())
        if each.form == "fp32" and error > _EXACT:
            raise RuntimeError(f"{cell}: answers of {each.name} are {error:.2g} off; it does not compute the same")
        figures[f"{cell}:error:{each.name}"] = Figure(value=error, low=error, high=error, unit="share")
    return figures
