"""What a StudentEnsemble's status keeps of its distillation: to JSON, and back after a restart of the operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from phalanx_contract.distillation import Outcome, Progress
from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.conditions import shorten
from phalanx_operator.decide.distillation import Failure, Remembered, Result

_NAMES: Final = {"teacher_accuracy": "teacherAccuracy"}
"""Fields of an outcome that the API writes in another way."""


def distill_status(remembered: Remembered, *, job: str) -> Manifest:
    """`status.distill`; `job` is the name of the Job that the spec wants."""
    status: Manifest = {"job": job}
    if remembered.progress is not None:
        status |= _progress(remembered.progress)
    if remembered.failure is not None:
        status["failure"] = {"job": remembered.failure.job, "message": shorten(remembered.failure.message)}
    if remembered.result is not None:
        status["result"] = {"mark": remembered.result.mark, **_outcome(remembered.result.outcome)}
    return status


def restored(status: Mapping[str, Any]) -> Remembered:
    """What a whole status tells; what cannot be read counts as not there."""
    kept = status.get("distill") or {}
    try:
        return Remembered(
            result=_result(kept["result"]) if "result" in kept else None,
            failure=Failure(job=kept["failure"]["job"], message=kept["failure"]["message"])
            if "failure" in kept
            else None,
            progress=_seen(kept) if "stage" in kept else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return Remembered()


def _progress(progress: Progress) -> Manifest:
    told: Manifest = {"stage": progress.stage, "percent": round(progress.share * 100)}
    return told if progress.left_s is None else told | {"leftSeconds": round(progress.left_s)}


def _seen(kept: Mapping[str, Any]) -> Progress:
    return Progress(stage=kept["stage"], share=kept["percent"] / 100, left_s=kept.get("leftSeconds"))


def _outcome(outcome: Outcome) -> Manifest:
    named = {_NAMES.get(name, name): value for name, value in msgspec.to_builtins(outcome).items()}
    return {name: value for name, value in named.items() if value is not None}


def _result(kept: Mapping[str, Any]) -> Result:
    """Raises ValueError, KeyError."""
    names = {theirs: ours for ours, theirs in _NAMES.items()}
    told = {names.get(name, name): value for name, value in kept.items() if name != "mark"}
    return Result(mark=kept["mark"], outcome=msgspec.convert(told, Outcome))
