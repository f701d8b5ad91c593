"""Who refers to whom among the three kinds, by the names in their specs alone (they may not be valid). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.observe.store import Ref, Store, ref_of


def pools_of(obj: Manifest, store: Store) -> frozenset[Key]:
    """The pools whose plan an object concerns; they need not exist.

    A pool concerns itself, an ensemble the pool that it names, an adapter its ensemble's.
    """
    ref = ref_of(obj)
    if ref.kind == "ServingPool":
        return frozenset({ref.key})
    if ref.kind == "StudentEnsemble":
        return _named(obj, "pool")
    ensembles = (store.get(Ref("StudentEnsemble", key)) for key in _named(obj, "ensemble"))
    return frozenset(key for ensemble in ensembles if ensemble is not None for key in _named(ensemble, "pool"))


def ensembles_of(pool: Key, store: Store) -> list[Manifest]:
    """The ensembles that name this pool."""
    return [obj for obj in store.all_of("StudentEnsemble", pool.namespace) if pool in _named(obj, "pool")]


def adapters_of(ensembles: Iterable[Manifest], namespace: str, store: Store) -> list[Manifest]:
    """The adapters that name one of these ensembles."""
    keys = {ref_of(ensemble).key for ensemble in ensembles}
    return [obj for obj in store.all_of("TenantAdapter", namespace) if keys & _named(obj, "ensemble")]


def orphans(store: Store) -> list[Manifest]:
    """Ensembles whose pool does not exist, and adapters whose ensemble does not exist or is such an orphan."""
    ensembles = [obj for obj in store.all_of("StudentEnsemble") if not _pool_exists(obj, store)]
    adapters = [obj for obj in store.all_of("TenantAdapter") if not any(map(_exists(store), pools_of(obj, store)))]
    return [*ensembles, *adapters]


def _pool_exists(obj: Manifest, store: Store) -> bool:
    return any(map(_exists(store), pools_of(obj, store)))


def _exists(store: Store) -> Any:
    return lambda key: store.get(Ref("ServingPool", key)) is not None


def _named(obj: Manifest, field: str) -> frozenset[Key]:
    """The key that `spec.<field>` names, if it is a name at all."""
    name = (obj.get("spec") or {}).get(field)
    return frozenset({Key(ref_of(obj).key.namespace, name)}) if isinstance(name, str) else frozenset()
