"""Which of the gathered resources can be served. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from phalanx_contract.plan import ApiKey, Artifact
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_pool
from phalanx_operator.api.types import Manifest, ServingPool, StudentEnsemble, TenantAdapter
from phalanx_operator.build import Versions
from phalanx_operator.decide.accept import (
    VALID,
    Verdict,
    judge_adapters,
    judge_ensembles,
    judge_pool,
    refused,
    withhold,
)
from phalanx_operator.observe.store import ref_of
from phalanx_operator.reconcile.gather import Gathered
from phalanx_operator.reconcile.memo import Shelf

Spec = TypeVar("Spec", ServingPool, StudentEnsemble, TenantAdapter)
Parse = Callable[[Mapping[str, Any]], Spec]
Readings = Shelf[ServingPool | StudentEnsemble | TenantAdapter | Verdict]
"""Specs as they were read, or the verdict on one that could not be, for each object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """Specs that could be read, and a verdict by name on every resource. `pool` None: its spec is not valid."""

    pool: ServingPool | None
    pool_verdict: Verdict
    ensembles: Mapping[str, StudentEnsemble]
    verdicts: Mapping[str, Verdict]
    adapters: Mapping[str, TenantAdapter]
    adapter_verdicts: Mapping[str, Verdict]
    withheld: Mapping[str, Verdict] = field(default_factory=dict)
    """Why an ensemble's new artifact may not be loaded, or not be distilled, where another one goes on serving."""

    @property
    def served(self) -> list[StudentEnsemble]:
        """The ensembles that go into the plan."""
        return [each for name, each in self.ensembles.items() if self.verdicts[name].accepted]


def accept(
    gathered: Gathered,
    keys: Mapping[str, ApiKey],
    versions: Versions,
    readings: Readings,
    *,
    serving: Mapping[str, Artifact],
) -> Accepted:
    """Read and judge every resource of a pool by itself: a bad one takes no other with it.

    `serving` are artifacts that workers are known to serve, by ensemble.

    What was read before and has not changed is taken from `readings`, which then holds these resources alone.
    """
    readings.keep(ref_of(obj) for obj in (gathered.pool, *gathered.ensembles, *gathered.adapters))
    pools, bad_pool = _read([gathered.pool], parse_pool, readings)
    verdict = next(iter(bad_pool.values()), None) or _judge_pool(next(iter(pools.values())), versions)
    pool = next(iter(pools.values())) if verdict.accepted else None
    ensembles, bad_ensembles = _read(gathered.ensembles, parse_ensemble, readings)
    verdicts = judge_ensembles(ensembles.values(), pool, by_digest=versions.image_by_digest) | bad_ensembles
    withheld = withhold(verdicts, serving, pool)
    verdicts |= dict.fromkeys(withheld, VALID)
    adapters, bad_adapters = _read(gathered.adapters, parse_adapter, readings)
    judged = judge_adapters(adapters.values(), pool=pool, ensembles=verdicts, secrets=keys.keys())
    return Accepted(
        pool=pool,
        pool_verdict=verdict,
        ensembles=ensembles,
        verdicts=verdicts,
        adapters=adapters,
        adapter_verdicts=judged | bad_adapters,
        withheld=withheld,
    )


def _judge_pool(pool: ServingPool, versions: Versions) -> Verdict:
    return judge_pool(pool, default_image=versions.worker_image, by_digest=versions.image_by_digest)


def _read(
    objects: Iterable[Manifest], parse: Parse[Spec], readings: Readings
) -> tuple[dict[str, Spec], dict[str, Verdict]]:
    """Specs by name, and verdicts on those that could not be read."""
    specs: dict[str, Spec] = {}
    verdicts: dict[str, Verdict] = {}
    for obj in objects:
        found = readings.of(ref_of(obj), _inputs(obj), partial(_parsed, obj, parse))
        if isinstance(found, Verdict):
            verdicts[obj["metadata"]["name"]] = found
        else:
            specs[obj["metadata"]["name"]] = found  # type: ignore[assignment]
    return specs, verdicts


def _parsed(obj: Manifest, parse: Parse[Spec]) -> Spec | Verdict:
    try:
        return parse(obj)
    except SpecError as error:
        return refused(error)


def _inputs(obj: Manifest) -> tuple[object, ...]:
    """All that a spec is read from: neither status nor versions."""
    meta = obj["metadata"]
    named = (meta.get(key) for key in ("uid", "generation", "creationTimestamp", "deletionTimestamp", "labels"))
    return obj.get("spec"), *named
