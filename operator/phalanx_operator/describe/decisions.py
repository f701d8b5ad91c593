"""A decision of a status in words. Pure."""

from __future__ import annotations

from typing import Final

from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.types import DecisionReason
from phalanx_operator.describe.nextsteps import DECISIONS
from phalanx_operator.describe.reading import ago

_WORDS: Final = {
    "Raise": "raised",
    "Lower": "lowered",
    "Stay": "left as it was",
    "Hold": "held, for want of facts",
    "Start": "started",
    "Promote": "promoted",
    "RollBack": "rolled back",
}
RECOMMENDED: Final = "recommended only, not applied: "
"""How the message of a decision begins that a recommendOnly pool did not carry out."""

LACKING: Final = frozenset({DecisionReason.AT_FLOOR, DecisionReason.AT_MAX_REPLICAS, DecisionReason.REPLICAS_PENDING})
"""Reasons that tell of a load for which there is too little, though everything serves."""


def sentence(decision: Manifest, now: float) -> str:
    """What was decided, when, why, with the numbers."""
    if not decision:
        return "nothing was decided yet"
    done = _WORDS.get(decision["action"], decision["action"])
    if is_recommendation(decision):
        done = f"would be {done}"
    message = decision["message"].removeprefix(RECOMMENDED).rstrip(".")
    return f"{done} ({decision['reason']}, {ago(decision['time'], now)} ago): {message}"


def step_of(decision: Manifest) -> str:
    """What somebody may do about it; empty for nothing."""
    return DECISIONS.get(decision.get("reason", ""), "").removeprefix("none; ")


def is_recommendation(decision: Manifest) -> bool:
    """Whether it was decided and not carried out."""
    return str(decision.get("message", "")).startswith(RECOMMENDED)
