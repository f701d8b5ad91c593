"""The resources. Pure: the same sizes give the same objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.e2e.kube import Object
from tests.e2e.resources import adapter, ensemble, pool

NAMESPACE: Final = "scale"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How much there is of everything. `workers` pools get a GPU."""

    pools: int = 200
    ensembles: int = 1_000
    adapters: int = 10_000
    workers: int = 4
    changes: int = 100
    idle_s: float = 180.0

    def pool_of(self, ensemble: int) -> int:
        """The pool that an ensemble is on."""
        return ensemble % self.pools

    @property
    def changed(self) -> list[str]:
        """The ensembles that are changed in turn: those of pools with a worker."""
        return [ensemble_name(index) for index in range(self.ensembles) if self.pool_of(index) < self.workers]


def pools(sizes: Sizes) -> Iterator[Object]:
    """Pools with a GPU first. The interval is the default."""
    for index in range(sizes.pools):
        found = pool(pool_name(index), metrics={}, replicas={"min": 1, "max": 4})
        first = {"nodeSelector": {"gpu": "free"}} if index < sizes.workers else {"nodeSelector": {"gpu": "none"}}
        found["spec"]["worker"] |= first
        yield found


def ensembles(sizes: Sizes) -> Iterator[Object]:
    """Spread over the pools."""
    for index in range(sizes.ensembles):
        name = ensemble_name(index)
        yield ensemble(name, pool=pool_name(sizes.pool_of(index)), path=name, digest=_digest(name))


def adapters(sizes: Sizes) -> Iterator[Object]:
    """Spread over the ensembles."""
    for index in range(sizes.adapters):
        name = f"tenant-{index:05}"
        yield adapter(name, ensemble=ensemble_name(index % sizes.ensembles), path=name, digest=_digest(name))


def pool_name(index: int) -> str:
    """The name of a pool."""
    return f"pool-{index:03}"


def ensemble_name(index: int) -> str:
    """The name of an ensemble."""
    return f"model-{index:04}"


def _digest(name: str) -> str:
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
