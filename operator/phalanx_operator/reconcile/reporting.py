"""Tell users: statuses where they changed, events where something was decided or stopped working."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_operator import tally
from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.types import Action, Decision
from phalanx_operator.errors import ClusterError, FencedError
from phalanx_operator.logs import about
from phalanx_operator.observe.store import ref_of
from phalanx_operator.reconcile.ports import Cluster, Note

logger = logging.getLogger(__name__)

Moves = Mapping[Action, str]
"""What is done by the decisions that move something."""

STUDENTS: Final[Moves] = {Action.RAISE: "AddStudents", Action.LOWER: "DropStudents"}
ROLLOUT: Final[Moves] = {
    Action.START: "StartRollout",
    Action.PROMOTE: "PromoteArtifact",
    Action.ROLL_BACK: "RollBackArtifact",
}
SURGE: Final[Moves] = {Action.LOWER: "RollOutWithoutSurge"}
EXITS: Final[Moves] = {Action.RAISE: "RaiseThresholds", Action.LOWER: "LowerThresholds"}
REPLICAS: Final[Moves] = {Action.RAISE: "AddWorkers", Action.LOWER: "RemoveWorkers"}


_FAILING: Final = (
    ConditionType.ACCEPTED,
    ConditionType.APPLIED,
    ConditionType.DISTILLED,
    ConditionType.LOADED,
    ConditionType.AVAILABLE,
    ConditionType.COMPLETE,
)
"""Conditions whose failure is worth an event."""
_PASSING: Final = frozenset(
    {
        Reason.LOADING,
        Reason.WORKERS_STARTING,
        Reason.NO_WORKERS,
        Reason.POOL_NOT_AVAILABLE,
        Reason.ROLLING_OUT,
        Reason.ROLLED_BACK,
        Reason.JOB_PENDING,
        Reason.DISTILLING,
    }
)


class Report:
    """What a round has to say about one object."""

    def __init__(self, obj: Manifest, status: Manifest, notes: Iterable[Note] = ()) -> None:
        self.obj = obj
        self.status = status
        self.notes = [*notes, *turns(obj.get("status") or {}, status)]


async def publish(cluster: Cluster, reports: Iterable[Report]) -> None:
    """Write what changed. One object's failure keeps no other from being written; raises the first of them.

    A closed fence ends it: no other write would get through either.
    """
    failures = []
    for report in reports:
        try:
            if report.status != report.obj.get("status"):
                await cluster.write_status(report.obj, report.status)
        except FencedError:
            raise
        except ClusterError as error:
            failures.append(error)
            logger.warning(
                "%s: its status could not be written: %s", ref_of(report.obj), error, extra=about(ref_of(report.obj))
            )
        for note in report.notes:
            await _record(cluster, report.obj, note)
    if failures:
        raise failures[0]


async def _record(cluster: Cluster, obj: Manifest, note: Note) -> None:
    """Events are best effort: a decision that is in force must not fail for want of its event."""
    level = logging.WARNING if note.warning else logging.INFO
    fields = about(ref_of(obj), reason=note.reason, action=note.action)
    logger.log(level, "%s: %s: %s", ref_of(obj), note.reason, note.text, extra=fields)
    try:
        await cluster.record(obj, note)
    except ClusterError as error:
        logger.warning("%s: an event could not be posted: %s", ref_of(obj), error, extra=fields)


def moves(*decisions: tuple[Decision[Any], Moves]) -> Iterator[Note]:
    """Notes on decisions that changed the operating point, counted as well."""
    for decision, actions in decisions:
        if decision.action in actions:
            tally.DECISIONS.labels(action=actions[decision.action], reason=str(decision.reason)).inc()
            back = decision.action is Action.ROLL_BACK
            reason, action = str(decision.reason), actions[decision.action]
            yield Note(reason=reason, action=action, text=decision.message, warning=back)


def turns(before: Manifest, after: Manifest) -> Iterator[Note]:
    """Notes on conditions that turned: one of `_FAILING` failed; a distillation began or is done; `MetricsAvailable` or
    `Ready` came or went. Pure."""
    old, new = _by_type(before), _by_type(after)
    for kind in _FAILING:
        condition = new.get(kind, {})
        failed = condition.get("status") == ConditionStatus.FALSE and _is_failure(kind, condition)
        if failed and condition.get("reason") != old.get(kind, {}).get("reason"):
            yield Note(reason=condition["reason"], action=f"Check{kind}", text=condition["message"], warning=True)
    yield from _distilled(old.get(ConditionType.DISTILLED, {}), new.get(ConditionType.DISTILLED, {}))
    yield from _metrics(old.get(ConditionType.METRICS_AVAILABLE, {}), new.get(ConditionType.METRICS_AVAILABLE, {}))
    if _pool_is_away(old) or _pool_is_away(new):
        return
    ready, was = new.get(ConditionType.READY, {}), old.get(ConditionType.READY, {})
    if _holds(ready) and not _holds(was) and not _only_swapped(old):
        yield Note(reason="Ready", action="CheckReady", text=ready["message"])
    if _holds(was) and not _holds(ready) and ready.get("reason") != Reason.PLAN_PENDING:
        yield Note(reason=ready["reason"], action="CheckReady", text=ready["message"], warning=True)


def _distilled(was: Manifest, now: Manifest) -> Iterator[Note]:
    """The pod began, or has told its result."""
    if now and now["reason"] != was.get("reason") and now["reason"] in (Reason.DISTILLING, Reason.RESULT_READY):
        yield Note(reason=now["reason"], action="Distill", text=now["message"])


def _metrics(was: Manifest, now: Manifest) -> Iterator[Note]:
    """Decisions hold from here on, or go on. A pool that has no metrics yet has lost none."""
    if was and now and _holds(was) != _holds(now):
        yield Note(reason=now["reason"], action="ReadMetrics", text=now["message"], warning=not _holds(now))


def _holds(condition: Manifest) -> bool:
    return condition.get("status") == ConditionStatus.TRUE


def _only_swapped(old: dict[str, Manifest]) -> bool:
    """Whether Ready was away only while workers took over a new plan, which is no event: it went after everything
    else held."""
    ready = old.get(ConditionType.READY, {})
    others = [old[kind] for kind in (ConditionType.LOADED, ConditionType.AVAILABLE) if kind in old]
    if ready.get("reason") != Reason.PLAN_PENDING or not all(map(_holds, others)):
        return False
    return all(ready["lastTransitionTime"] > each["lastTransitionTime"] for each in others)


def _pool_is_away(conditions: dict[str, Manifest]) -> bool:
    """Its workers went or came, which the pool's events tell: one each, and not ten thousand tenants' of it."""
    return conditions.get(ConditionType.LOADED, {}).get("reason") == Reason.POOL_NOT_AVAILABLE


def _is_failure(kind: ConditionType, condition: Manifest) -> bool:
    """Loading and distilling are no failures, they take their time; and what the pool tells, its tenants do not tell
    again."""
    return kind is ConditionType.ACCEPTED or condition["reason"] not in _PASSING


def _by_type(status: Manifest) -> dict[str, Manifest]:
    return {condition["type"]: condition for condition in status.get("conditions") or []}
