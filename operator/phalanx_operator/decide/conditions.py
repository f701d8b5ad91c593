"""Conditions after the Kubernetes API conventions: a list keyed by type, with `Ready` as the summary of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_contract.worker import LoadReason
from phalanx_operator.api.schema.status import MAX_MESSAGE
from phalanx_operator.decide.accept import Verdict

Condition = dict[str, Any]
"""One condition as JSON."""

_NOT_READY: Final = {
    ConditionType.ACCEPTED: Reason.NOT_ACCEPTED,
    ConditionType.DISTILLED: Reason.NOT_DISTILLED,
    ConditionType.LOADED: Reason.NOT_LOADED,
    ConditionType.APPLIED: Reason.NOT_APPLIED,
    ConditionType.AVAILABLE: Reason.NOT_AVAILABLE,
    ConditionType.COMPLETE: Reason.NOT_COMPLETE,
    ConditionType.PLAN_SERVED: Reason.PLAN_PENDING,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition before it has a time."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason | LoadReason
    message: str

    @property
    def holds(self) -> bool:
        """Whether the status is True."""
        return self.status is ConditionStatus.TRUE


def accepted(verdict: Verdict) -> Finding:
    """The verdict on a spec as a condition."""
    status = ConditionStatus.TRUE if verdict.accepted else ConditionStatus.FALSE
    return Finding(ConditionType.ACCEPTED, status, verdict.reason, verdict.message)


def applied(refusals: Sequence[str]) -> Finding:
    """Whether the API server took all that was built for a pool; `refusals` are its words on what it did not take."""
    if not refusals:
        text = "the cluster has what was built for the pool"
        return Finding(ConditionType.APPLIED, ConditionStatus.TRUE, Reason.CHILDREN_APPLIED, text)
    more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
    text = (
        f"{refusals[0]}{more}. Change what this names, or the policy that refuses it; what was there before stays, and "
        "it is tried again when something changes and every minute"
    )
    return Finding(ConditionType.APPLIED, ConditionStatus.FALSE, Reason.APPLY_REFUSED, text)


def ready(findings: Iterable[Finding], *, reason: Reason, message: str) -> Finding:
    """The summary: `reason` and `message` if all that matter hold, else what the first of the others says.

    A pool that is on its way to being complete is ready; one that does not get there is not.
    """
    for finding in findings:
        passing = finding.type is ConditionType.COMPLETE and finding.status is ConditionStatus.UNKNOWN
        if finding.type in _NOT_READY and not finding.holds and not passing:
            text = f"{finding.reason}: {finding.message}"
            return Finding(ConditionType.READY, finding.status, _NOT_READY[finding.type], text)
    return Finding(ConditionType.READY, ConditionStatus.TRUE, reason, message)


def merge_conditions(
    previous: Sequence[Mapping[str, Any]], findings: Iterable[Finding], *, generation: int, now: str
) -> list[Condition]:
    """Findings as conditions, in their order; `now` (ISO 8601) counts as the time of transition where status changed.

    Conditions that are no longer found are dropped.
    """
    before = {condition.get("type"): condition for condition in previous}
    return [_condition(before.get(str(finding.type)), finding, generation, now) for finding in findings]


def _condition(before: Mapping[str, Any] | None, finding: Finding, generation: int, now: str) -> Condition:
    since = now
    if before is not None and before.get("status") == finding.status:
        since = before.get("lastTransitionTime") or now
    return {
        "type": str(finding.type),
        "status": str(finding.status),
        "reason": str(finding.reason),
        "message": shorten(finding.message),
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }


def shorten(message: str) -> str:
    """The message within what the schema allows."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 3]}..."
