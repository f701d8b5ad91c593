"""Who refers to whom among the three kinds, by the names in their specs alone (they may not be valid). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build.labels import is_distillers, pool_of
from phalanx_operator.observe.store import Ref, Store, named_by, ref_of


def pools_of(obj: Manifest, store: Store) -> frozenset[Key]:
    """The pools whose plan an object concerns; they need not exist.

    A pool concerns itself, an ensemble the pool that it names, an adapter its ensemble's.
    """
    ref = ref_of(obj)
    if ref.kind == "ServingPool":
        return frozenset({ref.key})
    owner: Key | None = named_by(obj)
    if ref.kind == "TenantAdapter" and owner is not None:
        ensemble = store.get(Ref("StudentEnsemble", owner))
        owner = None if ensemble is None else named_by(ensemble)
    return frozenset() if owner is None else frozenset({owner})


def ensembles_of(pool: Key, store: Store) -> list[Manifest]:
    """The ensembles that name this pool."""
    return store.belonging_to("StudentEnsemble", pool)


def adapters_of(ensembles: Iterable[Manifest], store: Store) -> list[Manifest]:
    """The adapters that name one of these ensembles."""
    return [obj for each in ensembles for obj in store.belonging_to("TenantAdapter", ref_of(each).key)]


def orphans(store: Store) -> list[Manifest]:
    """Ensembles whose pool does not exist, and adapters whose ensemble does not exist or is such an orphan.

    By owners: what belongs to one that exists, which is nearly everything, is not looked at.
    """
    found: list[Manifest] = []
    for kind, exists in (("StudentEnsemble", _pool_exists), ("TenantAdapter", _ensemble_has_pool)):
        for owner in store.owners(kind):
            if owner is None or not exists(owner, store):
                found += store.belonging_to(kind, owner)
    return found


def strays(jobs: Iterable[Manifest], store: Store) -> list[Manifest]:
    """Jobs that distil for a pool which their ensemble does not name any more, or whose ensemble is gone.

    The rounds of a pool find those of its own; a pool that was deleted has no rounds. A Job whose ensemble still names
    such a pool is none of them: the pool may be made anew.
    """
    return [job for job in jobs if is_distillers(job) and pool_of(job) != _named_by_ensemble(job, store)]


def _named_by_ensemble(job: Manifest, store: Store) -> Key | None:
    name = job["metadata"]["labels"].get("app.kubernetes.io/instance", "")
    ensemble = store.get(Ref("StudentEnsemble", Key(ref_of(job).key.namespace, name)))
    return None if ensemble is None else named_by(ensemble)


def _pool_exists(key: Key, store: Store) -> bool:
    return store.get(Ref("ServingPool", key)) is not None


def _ensemble_has_pool(key: Key, store: Store) -> bool:
    ensemble = store.get(Ref("StudentEnsemble", key))
    pool = None if ensemble is None else named_by(ensemble)
    return pool is not None and _pool_exists(pool, store)
