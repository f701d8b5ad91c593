"""Between which numbers of students load may move an ensemble."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phalanx_operator.decide.policy import CutPolicy
from phalanx_operator.decide.types import ArtifactFacts, StudentsState


@dataclass(frozen=True, slots=True)
class Bounds:
    """Fewest and most students; `top` None means all of an artifact that is not known yet."""

    floor: int
    top: int | None


def bounds_of(policy: CutPolicy, facts: ArtifactFacts | None, state: StudentsState) -> Bounds:
    """The floor is the spec's min or, if more, the fewest students that stay within the burst budget for good.

    While the artifact is unknown (no worker reports it yet), what was known of the same digest stays.
    """
    top, floor = policy.students.max, policy.students.min
    if facts is not None:
        top = min(top or facts.students, facts.students)
        floor = max(floor, fewest_within(facts.agreement, policy.accuracy.burst_loss))
    elif state.digest == policy.digest:
        floor = max(floor, state.floor)
    if top is not None and floor > top:
        # The user's bounds go before the budget; an artifact with fewer students than min is the worker's to refuse.
        top = max(top, policy.students.min)
        floor = min(floor, top)
    return Bounds(floor, top)


def fewest_within(agreement: tuple[float, ...], loss: float) -> int:
    """The smallest k such that k students and more differ from all on at most `loss` of the texts; 1 if unknown."""
    fewest = 1
    for k, agrees in enumerate(agreement, start=1):
        if 1.0 - agrees > loss + 1e-9 and k < len(agreement):
            fewest = k + 1
    return fewest


def loss_at(facts: ArtifactFacts, students: int | None) -> float:
    """Share of texts on which this many students differ from all; 0 for all of them, 1 if it was not measured."""
    if students is None or students >= facts.students:
        return 0.0
    if students > len(facts.agreement):
        return 1.0
    return max(0.0, 1.0 - facts.agreement[students - 1])


def hold_within(state: StudentsState, bounds: Bounds, digest: str) -> StudentsState:
    """The state with its range moved into the bounds; a new artifact starts with all of its students."""
    if state.digest != digest:
        return StudentsState(digest=digest, floor=bounds.floor, ceiling=bounds.top)
    if not state.lowered or state.ceiling is None:
        return replace(state, floor=bounds.floor, ceiling=bounds.top, lowered=False)
    ceiling = max(state.ceiling, bounds.floor)
    if bounds.top is not None:
        ceiling = min(ceiling, bounds.top)
    return replace(state, floor=bounds.floor, ceiling=ceiling, lowered=bounds.top is None or ceiling < bounds.top)
