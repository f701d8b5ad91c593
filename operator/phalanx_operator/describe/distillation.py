"""Where a distillation stands, from spec and status. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from phalanx_operator.api.types import Manifest
from phalanx_operator.describe.lines import Line, Tone
from phalanx_operator.describe.reading import status_of


def distillation(ensemble: Manifest) -> Iterator[Line]:
    """What an ensemble with `spec.distill` is distilled from, how far that is, and what came of it."""
    asked, told = ensemble["spec"]["distill"], status_of(ensemble).get("distill") or {}
    what = f"{asked.get('teacher')} on {asked.get('data')}, to {asked.get('output')}"
    yield Line(f"{what}; the Job is {told['job']}." if "job" in told else f"{what}; there is no Job yet.")
    if "stage" in told:
        yield Line(f"{told['stage']}: {told['percent']}% done{_left(told)}.")
    if "failure" in told:
        yield Line(f"{told['failure']['job']} was given up: {told['failure']['message']}", Tone.BAD)
    if "result" in told:
        yield from _result(told["result"])


def _left(told: Manifest) -> str:
    seconds = told.get("leftSeconds")
    return "" if seconds is None else f", {seconds // 60}:{seconds % 60:02} of this stage left when it was told"


def _result(result: Manifest) -> Iterator[Line]:
    yield Line(f"The latest result is {result['uri']}, {result['digest']}:")
    teacher = f", its teacher {result['teacherAccuracy']:.2%}" if "teacherAccuracy" in result else ""
    shape = f"{result['students']} students of {result['rows']} rows"
    yield Line(f"{shape}, right on {result['accuracy']:.2%} of held-out rows{teacher}.")
