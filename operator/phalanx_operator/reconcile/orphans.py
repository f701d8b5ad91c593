"""Resources that belong to no pool: they get a condition too, and Jobs that nobody waits for any more are deleted."""

from __future__ import annotations

import datetime

from phalanx_contract.conditions import Reason
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_meta
from phalanx_operator.api.types import Manifest
from phalanx_operator.decide.accept import Verdict, judge_adapters, judge_ensemble, refused
from phalanx_operator.decide.status import refused_status
from phalanx_operator.observe.store import Store
from phalanx_operator.reconcile.ports import Clock, Cluster
from phalanx_operator.reconcile.relations import orphans, strays
from phalanx_operator.reconcile.reporting import Report, publish
from phalanx_operator.reconcile.writing import delete_all


async def sweep(cluster: Cluster, clock: Clock) -> None:
    """Refuse every ensemble without a pool and every adapter without a served ensemble, and delete Jobs that distil for
    a pool which their ensemble has left. Raises ClusterError."""
    now = iso(clock())
    left = strays(await cluster.jobs(), cluster.store)
    await delete_all(cluster, [job for job in left if "deletionTimestamp" not in job["metadata"]])
    found = [obj for obj in orphans(cluster.store) if "deletionTimestamp" not in obj["metadata"]]
    await publish(cluster, [_report(obj, cluster.store, now) for obj in found])


def iso(now: float) -> str:
    """Seconds since 1970 as the Kubernetes API writes a time."""
    return datetime.datetime.fromtimestamp(now, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _report(obj: Manifest, store: Store, now: str) -> Report:
    verdict = _judge_ensemble(obj) if obj["kind"] == "StudentEnsemble" else _judge_adapter(obj, store)
    status = refused_status(parse_meta(obj), verdict, previous=obj.get("status") or {}, now=now)
    return Report(obj, status)


def _judge_ensemble(obj: Manifest) -> Verdict:
    try:
        return judge_ensemble(parse_ensemble(obj), None)
    except SpecError as error:
        return refused(error)


def _judge_adapter(obj: Manifest, store: Store) -> Verdict:
    """The ensemble is missing, or is itself without a pool and so not accepted."""
    try:
        adapter = parse_adapter(obj)
    except SpecError as error:
        return refused(error)
    missing = Verdict(Reason.POOL_NOT_FOUND, "its pool does not exist")
    known = {each["metadata"]["name"]: missing for each in store.all_of("StudentEnsemble", adapter.meta.key.namespace)}
    return judge_adapters([adapter], pool=None, ensembles=known, secrets=())[adapter.meta.key.name]
