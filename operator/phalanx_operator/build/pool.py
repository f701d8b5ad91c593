"""All children of a ServingPool, in the order in which they are applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phalanx_contract.plan import PlanHash
from phalanx_contract.runtime import ANNOTATION_BUILT
from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.configmaps import config_maps
from phalanx_operator.build.deployment import deployment
from phalanx_operator.build.networkpolicy import network_policies
from phalanx_operator.build.pdb import disruption_budget
from phalanx_operator.build.service import service
from phalanx_operator.build.serviceaccount import service_account


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """What depends on the operator's release and place, and on the cluster's release."""

    worker_image: str
    policy_api: str = "policy/v1"
    operator_namespace: str = ""
    """Where the operator runs, so that it can be let through to the workers; empty outside of a cluster."""
    failure_policy: bool = False
    """Whether Jobs may have a `podFailurePolicy`."""
    eviction_policy: bool = False
    """Whether PodDisruptionBudgets may have an `unhealthyPodEvictionPolicy`."""
    image_by_digest: bool = False
    """Whether pools whose workers' image is not named by digest are refused."""


def build_pool(
    pool: ServingPool,
    *,
    plan_files: Sequence[Mapping[str, bytes]],
    plan_hash: PlanHash,
    replicas: int | None,
    versions: Versions,
) -> list[Manifest]:
    """Service account, plan and network policy first, so that the first pods find them; then what runs and fronts them.

    ConfigMaps of an earlier, longer plan are not listed, nor is a network policy that is no longer wanted: whoever
    applies this removes those of the pool that are left over.
    """
    children = [
        service_account(pool),
        *config_maps(pool, plan_files=plan_files, plan_hash=plan_hash),
        *network_policies(pool, operator_namespace=versions.operator_namespace),
        deployment(pool, default_image=versions.worker_image, replicas=replicas),
        service(pool),
        disruption_budget(pool, api_version=versions.policy_api, unready_may_go=versions.eviction_policy),
    ]
    return [_stamped(each) for each in children]


def _stamped(manifest: Manifest) -> Manifest:
    """With a hash of itself: a live object that has the same one was made from all of this, and from nothing more."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    annotations = {**manifest["metadata"].get("annotations", {}), ANNOTATION_BUILT: f"sha256:{digest}"}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}
