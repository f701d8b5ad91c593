"""Apply, touch and delete objects."""

from __future__ import annotations

from phalanx_contract.runtime import ANNOTATION_PLAN, FIELD_MANAGER
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.apply.api import APPLY, MERGE, ApiError, KubeApi
from phalanx_operator.apply.paths import item


def path_of(manifest: Manifest) -> str:
    """Where an object lies."""
    meta = manifest["metadata"]
    return item(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])


async def apply(api: KubeApi, manifest: Manifest) -> Manifest:
    """Server-side apply: create it, or make the fields that the manifest names as it says, whoever set them.

    Returns the object as the server has it now. Raises ApiError.
    """
    return await api.patch(path_of(manifest), manifest, kind=APPLY, fieldManager=FIELD_MANAGER, force="true")


async def delete(api: KubeApi, manifest: Manifest) -> bool:
    """Delete exactly this object (by uid), its dependants in the background. False if it is gone already.

    Raises:
        ApiError: anything but that it is gone, or that another object of its name took its place.
    """
    uid = manifest["metadata"].get("uid")
    options: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    if uid:
        options["preconditions"] = {"uid": uid}
    try:
        await api.delete(path_of(manifest), options)
    except ApiError as error:
        if error.gone or error.conflict:
            return False
        raise
    return True


async def touch_plan(api: KubeApi, pod: Key, plan_hash: str) -> bool:
    """Write the plan's hash onto a pod, so that its kubelet syncs the mounted ConfigMaps at once.

    False if the pod is gone. Raises ApiError otherwise.
    """
    patch = {"metadata": {"annotations": {ANNOTATION_PLAN: plan_hash}}}
    try:
        await api.patch(item("v1", "Pod", pod.namespace, pod.name), patch, kind=MERGE, fieldManager=FIELD_MANAGER)
    except ApiError as error:
        if error.gone:
            return False
        raise
    return True
