"""The ConfigMaps that carry a plan to the workers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from phalanx_contract.plan import PlanHash
from phalanx_contract.runtime import ANNOTATION_PLAN
from phalanx_operator.api.types import Manifest, ServingPool
from phalanx_operator.build.labels import child, plan_config_map_name


def config_maps(pool: ServingPool, *, plan_files: Sequence[Mapping[str, bytes]], plan_hash: PlanHash) -> list[Manifest]:
    """One for each element of `plan_files`, as `phalanx_contract.wire.pack` returned them."""
    return [_config_map(pool, index, files, plan_hash) for index, files in enumerate(plan_files)]


def _config_map(pool: ServingPool, index: int, files: Mapping[str, bytes], plan_hash: PlanHash) -> Manifest:
    data = {name: base64.b64encode(content).decode("ascii") for name, content in sorted(files.items())}
    name = plan_config_map_name(pool.meta.key.name, index)
    manifest = child(pool, api_version="v1", kind="ConfigMap", name=name, binaryData=data)
    manifest["metadata"]["annotations"] = {ANNOTATION_PLAN: plan_hash}
    return manifest
