"""The resources whose pool is simulated, and what all runs over it share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from phalanx_contract.plan import Artifact
from phalanx_contract.runtime import API_VERSION
from phalanx_operator.api.parse import parse_ensemble, parse_pool
from phalanx_operator.api.types import Distill, Manifest, ServingPool, StudentEnsemble
from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.profile import CPU, Profile
from phalanx_operator.simulate.world import Scene

EXAMPLE: Final[tuple[Manifest, ...]] = (
    {
        "apiVersion": API_VERSION,
        "kind": "ServingPool",
        "metadata": {"name": "example"},
        "spec": {"replicas": {"min": 2, "max": 12}, "objective": {"p99": "150ms"}},
    },
    {
        "apiVersion": API_VERSION,
        "kind": "StudentEnsemble",
        "metadata": {"name": "example"},
        "spec": {"pool": "example", "artifact": {"uri": "file:///example", "digest": "sha256:" + "0" * 64}},
    },
)
"""The pool that is simulated where nobody names one; its objective goes with the profile `CPU`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """One pool, its only ensemble, and what its workers can do."""

    pool: ServingPool
    ensemble: StudentEnsemble
    profile: Profile = CPU

    @property
    def scene(self) -> Scene:
        """A run begins with the workers that the spec asks for, all of them ready."""
        metrics = self.pool.metrics
        return Scene(
            profile=self.profile,
            objective_s=self.pool.objective_p99_s,
            ensemble=self.ensemble.meta.key.name,
            replicas=self.pool.replicas.desired,
            interval_s=metrics.interval_s,
            window_s=metrics.window_s,
        )


def setup_of(objects: Iterable[Manifest] = EXAMPLE, *, profile: Profile = CPU) -> Setup:
    """The setup of resources as users write them.

    Raises:
        SimulationError: they are not one pool and one ensemble on it, or do not fit the profile.
        SpecError: one of them is not valid.
    """
    known = list(objects)
    pools = [parse_pool(obj) for obj in known if obj["kind"] == "ServingPool"]
    ensembles = [_as_made(parse_ensemble(obj)) for obj in known if obj["kind"] == "StudentEnsemble"]
    if len(pools) != 1 or len(ensembles) != 1:
        found = f"{len(pools)} ServingPools and {len(ensembles)} StudentEnsembles"
        raise SimulationError(f"there are {found}: a trace is for one pool with one ensemble, so give one of each")
    (pool,), (ensemble,) = pools, ensembles
    if ensemble.pool != pool.meta.key.name:
        raise SimulationError(f"spec.pool: {ensemble.meta.key.name} is on {ensemble.pool}, not {pool.meta.key.name}")
    if ensemble.students.min > profile.students:
        raise SimulationError(
            f"spec.students.min is {ensemble.students.min}, but the profile has {profile.students} students"
        )
    if pool.replicas.desired == 0:
        raise SimulationError("spec.replicas: a run cannot begin without a worker; set min to 1 or more")
    return Setup(pool=pool, ensemble=ensemble, profile=profile)


def _as_made(ensemble: StudentEnsemble) -> StudentEnsemble:
    """What is still to be distilled counts as made: a simulated worker serves what its profile says in any case."""
    if not isinstance(ensemble.source, Distill):
        return ensemble
    return replace(ensemble, source=Artifact(uri=ensemble.source.task.output, digest="sha256:" + "0" * 64))
