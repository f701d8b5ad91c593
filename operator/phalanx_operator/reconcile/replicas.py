"""Whether the spec's count is news. Pure.

The pool's count is written to its Deployment when it changes. Between such changes the live number is kept, since
somebody else may own it: `kubectl scale deployment`, or an autoscaler that was aimed at the Deployment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from phalanx_contract.runtime import GROUP
from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.decide.replicas import decide_replicas
from phalanx_operator.decide.types import Decision

ANNOTATION_COUNT: Final = f"{GROUP}/count"
"""On the Deployment: the spec's count that was written last."""


def decide_count(pool: ServingPool, deployment: Manifest | None) -> Decision[int]:
    """The number of workers wanted, given the Deployment that is there."""
    if deployment is None:
        return decide_replicas(pool, live=None)
    written = (deployment["metadata"].get("annotations") or {}).get(ANNOTATION_COUNT)
    if written == _text(pool):
        pool = replace(pool, replicas=replace(pool.replicas, count=None))
    return decide_replicas(pool, live=deployment["spec"].get("replicas"))


def with_count(manifest: Manifest, pool: ServingPool) -> Manifest:
    """A Deployment that remembers the spec's count; other manifests as they are."""
    if manifest["kind"] != "Deployment":
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), ANNOTATION_COUNT: _text(pool)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _text(pool: ServingPool) -> str:
    return str(pool.replicas.count)
