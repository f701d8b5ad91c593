"""One table of everything: `kubectl phalanx status`. What needs somebody stands first. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from phalanx_contract.conditions import ConditionStatus, ConditionType, Reason
from phalanx_operator.api.types import Manifest
from phalanx_operator.describe.decisions import LACKING, step_of
from phalanx_operator.describe.lines import Line, Row, Tone, columns
from phalanx_operator.describe.reading import (
    Snapshot,
    ago,
    condition_of,
    failing,
    key_of,
    outdated,
    status_of,
    title_of,
)

MOST_HEALTHY: Final = 20
"""Adapters without a problem that are listed; there may be thousands, and they are counted then."""
_PASSING: Final = frozenset(
    {
        Reason.LOADING,
        Reason.WORKERS_STARTING,
        Reason.WORKERS_UPDATING,
        Reason.POOL_NOT_AVAILABLE,
        Reason.PLAN_PENDING,
        Reason.JOB_PENDING,
        Reason.DISTILLING,
        Reason.UNKNOWN,
    }
)


class Health(enum.IntEnum):
    """How much a resource needs somebody; less is worse."""

    BROKEN = 0
    """It is not served, and will not be by itself."""
    DEGRADED = 1
    """It is served, but something about it does not hold."""
    PASSING = 2
    """It is on its way."""
    WELL = 3


_TONES: Final = {Health.BROKEN: Tone.BAD, Health.DEGRADED: Tone.WARNING, Health.PASSING: Tone.QUIET}


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource in the table."""

    obj: Manifest
    health: Health
    serves: str
    since: str
    why: str


def entry_of(obj: Manifest, now: float) -> Entry:
    """One resource, judged by its conditions."""
    ready, wrong = condition_of(obj, ConditionType.READY), failing(obj)
    if outdated(obj):
        return Entry(obj, Health.PASSING, _serves(obj), "", "changed a moment ago; the operator has not looked yet")
    if ready.holds or ready.reason == Reason.NOT_COMPLETE:
        health = Health.DEGRADED if wrong else Health.WELL
    elif ready.status == ConditionStatus.UNKNOWN or (wrong and wrong[0].reason in _PASSING):
        health = Health.PASSING
    else:
        health = Health.DEGRADED if _serves_what_was(obj) else Health.BROKEN
    if health is Health.WELL and (decision := status_of(obj).get("decision") or {}).get("reason") in LACKING:
        return Entry(obj, Health.DEGRADED, _serves(obj), ago(decision["time"], now), _lack(decision))
    shown = wrong[0] if wrong else ready
    step = f"; {shown.step}" if shown.step and shown.step not in shown.message else ""
    why = f"{shown.reason}: {shown.message}{step}" if health is not Health.WELL else _latest(obj)
    return Entry(obj, health, _serves(obj), ago(shown.since, now), why)


def _serves_what_was(obj: Manifest) -> bool:
    """Whether an ensemble whose distillation failed goes on with what came before."""
    not_distilled = condition_of(obj, ConditionType.READY).reason == Reason.NOT_DISTILLED
    return not_distilled and condition_of(obj, ConditionType.PLAN_SERVED).holds


def _lack(decision: Manifest) -> str:
    return f"{decision['reason']}: {decision['message'].rstrip('.')}; {step_of(decision)}"


def entries(snapshot: Snapshot) -> list[Entry]:
    """All resources, worst first; pools before ensembles before adapters, since what ails one ails those in it."""
    found = [
        entry_of(obj, snapshot.now) for kind in (snapshot.pools, snapshot.ensembles, snapshot.adapters) for obj in kind
    ]
    return sorted(found, key=lambda entry: entry.health)


def overview(snapshot: Snapshot, *, namespaces: bool, every: bool = False) -> list[Line]:
    """The table and a line that counts; with `namespaces` it has a column for them. `every` lists all adapters."""
    listed, hidden = _listed(entries(snapshot), every)
    if not listed:
        return [Line("no ServingPool, StudentEnsemble or TenantAdapter here; -A looks in all namespaces")]
    header = ("NAME", "READY", "SERVED", "SINCE", "WHY")
    rows = [_row(entry, namespaces) for entry in listed]
    lines = columns(("NAMESPACE", *header) if namespaces else header, rows)
    if hidden:
        lines.append(Line(f"and {hidden} more TenantAdapters that are served; --all lists them", Tone.QUIET))
    return lines


def _listed(found: list[Entry], every: bool) -> tuple[list[Entry], int]:
    """What to list, and how many are only counted."""
    well = [each for each in found if each.health is Health.WELL and each.obj["kind"] == "TenantAdapter"]
    left_out = set() if every else {id(each) for each in well[MOST_HEALTHY:]}
    return [each for each in found if id(each) not in left_out], len(left_out)


def _row(entry: Entry, namespaces: bool) -> Row:
    ready = condition_of(entry.obj, ConditionType.READY).status
    cells = (title_of(entry.obj), ready, entry.serves, entry.since, entry.why)
    tone = _TONES.get(entry.health, Tone.PLAIN)
    return Row((key_of(entry.obj).namespace, *cells) if namespaces else cells, tone)


def _serves(obj: Manifest) -> str:
    """How much of it is there, in a few words."""
    status = status_of(obj)
    if obj["kind"] == "ServingPool":
        return f"{status.get('readyReplicas', 0)}/{status.get('wanted', status.get('replicas', '?'))} workers"
    workers = status.get("workers") or {}
    on = f"{workers.get('ready', 0)}/{workers.get('total', 0)} workers"
    return f"{students_of(obj)} students, {on}" if obj["kind"] == "StudentEnsemble" else on


def students_of(ensemble: Manifest) -> str:
    """The range in force: `1-3 of 4`."""
    students = status_of(ensemble).get("students") or {}
    top = students.get("ceiling", students.get("available", "?"))
    known = f" of {students['available']}" if "available" in students else ""
    return f"{students.get('floor', '?')}-{top}{known}"


def _latest(obj: Manifest) -> str:
    """The latest decision, in one word; a sentence for each resource that is well would drown what is not."""
    decision = status_of(obj).get("decision") or {}
    return str(decision.get("reason", "Serving"))
