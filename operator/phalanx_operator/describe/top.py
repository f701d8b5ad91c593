"""`phalanx top` against a cluster: pools, ensembles and what was decided, from statuses alone. Pure."""

from __future__ import annotations

from typing import Any

from phalanx_contract.conditions import ConditionType
from phalanx_operator.api.types import Manifest
from phalanx_operator.describe.decisions import sentence
from phalanx_operator.describe.lines import Line, Row, Tone, columns
from phalanx_operator.describe.overview import Health, entry_of, students_of
from phalanx_operator.describe.reading import Snapshot, condition_of, conditions_of, key_of, status_of

MOST_FAILING = 5
"""Adapters that are not served which are named; the others are counted."""


def top(snapshot: Snapshot) -> list[Line]:
    """Pools, then a row for each ensemble, then the adapters that are not served."""
    return [*_pools(snapshot), Line(""), *_ensembles(snapshot), Line(""), *_adapters(snapshot)]


def _pools(snapshot: Snapshot) -> list[Line]:
    rows = [_pool(pool, snapshot.now) for pool in snapshot.pools]
    if not rows:
        return [Line("no ServingPool here; -A looks in all namespaces", Tone.WARNING)]
    return columns(("POOL", "READY", "WORKERS", "P99", "METRICS", "WORKERS' LAST DECISION"), rows)


def _pool(pool: Manifest, now: float) -> Row:
    status = status_of(pool)
    wanted = status.get("wanted", status.get("replicas", "?"))
    cells = (
        str(key_of(pool)),
        condition_of(pool, ConditionType.READY).status,
        f"{status.get('readyReplicas', 0)}/{wanted}",
        (pool["spec"].get("objective") or {}).get("p99", "50ms"),
        "fresh" if condition_of(pool, ConditionType.METRICS_AVAILABLE).holds else "held",
        sentence(status.get("decision") or {}, now),
    )
    return Row(cells, _tone(pool, now))


def _ensembles(snapshot: Snapshot) -> list[Line]:
    rows = [_ensemble(ensemble, snapshot.now) for ensemble in snapshot.ensembles]
    if not rows:
        return [Line("no StudentEnsemble here", Tone.QUIET)]
    return columns(("ENSEMBLE", "READY", "STUDENTS", "THRESHOLDS", "WORKERS", "LAST DECISION"), rows)


def _ensemble(ensemble: Manifest, now: float) -> Row:
    status, ready = status_of(ensemble), condition_of(ensemble, ConditionType.READY)
    workers = status.get("workers") or {}
    cells = (
        str(key_of(ensemble)),
        ready.status,
        students_of(ensemble),
        " ".join(f"{value:g}" for value in status.get("thresholds") or ()) or "none",
        f"{workers.get('ready', 0)}/{workers.get('total', 0)}",
        sentence(status.get("decision") or {}, now) if ready.holds else f"{ready.reason}: {ready.message}",
    )
    return Row(cells, _tone(ensemble, now))


def _adapters(snapshot: Snapshot) -> list[Line]:
    failing = [each for each in snapshot.adapters if not condition_of(each, ConditionType.READY).holds]
    served = len(snapshot.adapters) - len(failing)
    lines = [Line(f"{served}/{len(snapshot.adapters)} tenants served", Tone.QUIET)] if snapshot.adapters else []
    for adapter in failing[:MOST_FAILING]:
        entry = entry_of(adapter, snapshot.now)
        lines.append(Line(f"{key_of(adapter)}: {entry.why}", Tone.BAD if entry.health is Health.BROKEN else Tone.QUIET))
    if len(failing) > MOST_FAILING:
        lines.append(Line(f"and {len(failing) - MOST_FAILING} more: kubectl phalanx status", Tone.QUIET))
    return lines


def _tone(obj: Manifest, now: float) -> Tone:
    health = entry_of(obj, now).health
    return {Health.BROKEN: Tone.BAD, Health.DEGRADED: Tone.WARNING, Health.PASSING: Tone.QUIET}.get(health, Tone.PLAIN)


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """The same for scripts."""
    served = sum(condition_of(each, ConditionType.READY).holds for each in snapshot.adapters)
    failing = [_view(each) for each in snapshot.adapters if not condition_of(each, ConditionType.READY).holds]
    return {
        "source": "cluster",
        "pools": [
            _view(pool) | _of(pool, "wanted", "replicas", "readyReplicas", "decision") for pool in snapshot.pools
        ],
        "ensembles": [
            _view(each) | _of(each, "students", "thresholds", "workers", "decision", "exitsDecision")
            for each in snapshot.ensembles
        ],
        "adapters": {"served": served, "total": len(snapshot.adapters), "failing": failing},
    }


def _of(obj: Manifest, *fields: str) -> dict[str, Any]:
    return {field: status_of(obj).get(field) for field in fields}


def _view(obj: Manifest) -> dict[str, Any]:
    conditions = {
        each.type: {"status": each.status, "reason": each.reason, "message": each.message}
        for each in conditions_of(obj)
    }
    return {"name": key_of(obj).name, "namespace": key_of(obj).namespace, "conditions": conditions}
