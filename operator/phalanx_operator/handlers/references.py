"""Secrets and ConfigMaps that specs refer to, read sparingly: ten thousand tenants must not mean a thousand reads a
second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from phalanx_operator.api.types import Key, Manifest

Fetch = Callable[[Key], Awaitable[Manifest | None]]
Loop = Callable[[], float]

FRESH_S = 120.0
"""How long an object that was found is taken as unchanged: a new key serves after that time at the latest."""
RETRY_S = 10.0
"""How soon one that was not found is looked for again."""
PARALLEL = 16
REFRESH_AT_ONCE = 128
"""Known ones read again in one round; the stalest first. Unknown ones are always read."""


@dataclass(frozen=True, slots=True)
class _Known:
    obj: Manifest | None
    at: float

    def stale(self, now: float) -> bool:
        return now - self.at > (FRESH_S if self.obj is not None else RETRY_S)


class ReferenceCache:
    """Remembers objects of one kind for a while. `fetch` returns None for one that does not exist."""

    def __init__(self, fetch: Fetch, *, clock: Loop) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[Key, _Known] = {}

    def __repr__(self) -> str:
        return f"<ReferenceCache of {len(self._known)}>"

    async def get(self, namespace: str, names: Collection[str], *, fresh: bool = False) -> dict[str, Manifest]:
        """Those of the named objects that exist; with `fresh` none from memory. Raises what `fetch` raises."""
        now = self._clock()
        keys = [Key(namespace, name) for name in sorted(set(names))]
        unknown = [key for key in keys if fresh or key not in self._known]
        stale = [key for key in keys if not fresh and key in self._known and self._known[key].stale(now)]
        stale.sort(key=lambda key: self._known[key].at)
        await self._read([*unknown, *stale[:REFRESH_AT_ONCE]], now)
        found = ((key.name, self._known[key].obj) for key in keys)
        return {name: obj for name, obj in found if obj is not None}

    async def _read(self, keys: list[Key], now: float) -> None:
        gate = asyncio.Semaphore(PARALLEL)

        async def one(key: Key) -> None:
            async with gate:
                self._known[key] = _Known(await self._fetch(key), now)

        await asyncio.gather(*(one(key) for key in keys))
