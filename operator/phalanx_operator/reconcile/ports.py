"""What a round needs of the world. Two implementations: the Kubernetes API (`handlers`) and `local`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.observe.store import Store

Clock = Callable[[], float]
"""Seconds since 1970, as Prometheus counts them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something worth an event: `reason` in one word, `action` what was done, `text` a sentence."""

    reason: str
    action: str
    text: str
    warning: bool = False


class Cluster(Protocol):
    """Reads and writes. All of them may raise ClusterError; what was written is seen by the next read."""

    @property
    def store(self) -> Store:
        """The three kinds, complete and current."""

    async def children(self, pool: Key) -> list[Manifest]:
        """What was applied for a pool: all that `build_pool` makes, and the Jobs of its ensembles."""

    async def jobs(self) -> list[Manifest]:
        """The Jobs of all ensembles, also of those whose pool is gone."""

    async def pods(self, pool: Key) -> list[Manifest]:
        """The pool's workers, and the pods of its ensembles' Jobs."""

    async def secrets(self, namespace: str, names: Collection[str], *, fresh: bool = False) -> Mapping[str, Manifest]:
        """Those of the named Secrets that exist; not older than some minutes, with `fresh` as they are now."""

    async def config_maps(
        self, namespace: str, names: Collection[str], *, fresh: bool = False
    ) -> Mapping[str, Manifest]:
        """As `secrets`, of ConfigMaps that users made."""

    async def apply(self, manifest: Manifest) -> None:
        """Create it, or make it so."""

    async def delete(self, obj: Manifest) -> None:
        """Delete it; one that is gone already is no error."""

    async def touch_plan(self, pod: Key, plan_hash: str) -> None:
        """Make the pod see its ConfigMaps at once."""

    async def write_status(self, obj: Manifest, status: Manifest) -> None:
        """Make this the whole status of one of the three kinds."""

    async def record(self, obj: Manifest, note: Note) -> None:
        """Post an event about it."""
