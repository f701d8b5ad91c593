"""Write statuses."""

from __future__ import annotations

from typing import Any

from phalanx_contract.runtime import FIELD_MANAGER
from phalanx_operator.api.types import Manifest
from phalanx_operator.apply.api import MERGE, ApiError, KubeApi
from phalanx_operator.apply.objects import path_of


def merge_patch(old: Manifest, new: Manifest) -> Manifest:
    """The JSON merge patch (RFC 7386) that makes `old` into `new`; empty where they are equal. Pure."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = value
    return patch


async def write_status(api: KubeApi, obj: Manifest, status: Manifest) -> bool:
    """Make `status` the status of `obj`, an object as read from the server. Nothing is sent where it is the same.

    Returns whether something was written; an object that is gone has no status to write. Raises ApiError.
    """
    patch = merge_patch(obj.get("status") or {}, status)
    if not patch:
        return False
    try:
        await api.patch(f"{path_of(obj)}/status", {"status": patch}, kind=MERGE, fieldManager=FIELD_MANAGER)
    except ApiError as error:
        if error.gone:
            return False
        raise
    return True
