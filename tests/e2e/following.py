"""A list of objects that is kept current by a watch, and outlives an API server that dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from tests.e2e.kube import ApiError, Kube, Object

_RETRY_S: Final = 0.2


async def follow(kube: Kube, path: str, take: Callable[[Iterable[Object]], None]) -> None:
    """List and watch for ever; `take` gets all objects after each change. While there is no answer nothing changes."""
    while True:
        with contextlib.suppress(ApiError):
            await _once(kube, path, take)
        await asyncio.sleep(_RETRY_S)


async def _once(kube: Kube, path: str, take: Callable[[Iterable[Object]], None]) -> None:
    listed = await kube.get(path)
    found = {each["metadata"]["name"]: each for each in listed["items"]}
    take(found.values())
    async for event in kube.watch(path, resource_version=listed["metadata"]["resourceVersion"]):
        if event["type"] == "ERROR":
            return
        obj = event["object"]
        if event["type"] == "DELETED":
            found.pop(obj["metadata"]["name"], None)
        else:
            found[obj["metadata"]["name"]] = obj
        take(found.values())
