"""Which of the gathered resources can be served. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from phalanx_contract.plan import ApiKey
from phalanx_operator.api.issues import SpecError
from phalanx_operator.api.parse import parse_adapter, parse_ensemble, parse_pool
from phalanx_operator.api.types import Manifest, ServingPool, StudentEnsemble, TenantAdapter
from phalanx_operator.decide.accept import VALID, Verdict, judge_adapters, judge_ensembles, refused
from phalanx_operator.reconcile.gather import Gathered

Spec = TypeVar("Spec", ServingPool, StudentEnsemble, TenantAdapter)
Parse = Callable[[Mapping[str, Any]], Spec]


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """Specs that could be read, and a verdict by name on every resource. `pool` None: its spec is not valid."""

    pool: ServingPool | None
    pool_verdict: Verdict
    ensembles: Mapping[str, StudentEnsemble]
    verdicts: Mapping[str, Verdict]
    adapters: Mapping[str, TenantAdapter]
    adapter_verdicts: Mapping[str, Verdict]

    @property
    def served(self) -> list[StudentEnsemble]:
        """The ensembles that go into the plan."""
        return [each for name, each in self.ensembles.items() if self.verdicts[name].accepted]


def accept(gathered: Gathered, keys: Mapping[str, ApiKey]) -> Accepted:
    """Read and judge every resource of a pool by itself: a bad one takes no other with it."""
    pools, bad_pool = _read([gathered.pool], parse_pool)
    pool = next(iter(pools.values()), None)
    ensembles, bad_ensembles = _read(gathered.ensembles, parse_ensemble)
    verdicts = judge_ensembles(ensembles.values(), pool) | bad_ensembles
    adapters, bad_adapters = _read(gathered.adapters, parse_adapter)
    judged = judge_adapters(adapters.values(), pool=pool, ensembles=verdicts, secrets=keys.keys())
    return Accepted(
        pool=pool,
        pool_verdict=next(iter(bad_pool.values()), VALID),
        ensembles=ensembles,
        verdicts=verdicts,
        adapters=adapters,
        adapter_verdicts=judged | bad_adapters,
    )


def _read(objects: Iterable[Manifest], parse: Parse[Spec]) -> tuple[dict[str, Spec], dict[str, Verdict]]:
    """Specs by name, and verdicts on those that could not be read."""
    specs: dict[str, Spec] = {}
    verdicts: dict[str, Verdict] = {}
    for obj in objects:
        try:
            specs[obj["metadata"]["name"]] = parse(obj)
        except SpecError as error:
            verdicts[obj["metadata"]["name"]] = refused(error)
    return specs, verdicts
