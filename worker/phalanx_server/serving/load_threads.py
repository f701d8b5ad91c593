"""Threads that load one kind of thing, ensembles or adapters: one kind never waits for the other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from phalanx_contract.plan import Artifact
from phalanx_server.loading.patience import store_of

Result = TypeVar("Result")

_FETCHES: Final = 32
"""They wait for networks and disks, and take no core meanwhile."""
_FETCHES_OF_A_STORE: Final = 4
"""Enough for its bandwidth, and few enough that a store that hangs leaves threads for all others."""
_LOADS: Final = 2
"""They take cores, beside the engine's."""


class LoadThreads:
    """Fetching, which waits for stores, and loading, which takes cores, have threads of their own."""

    def __init__(self, kind: str) -> None:
        self._fetching = ThreadPoolExecutor(_FETCHES, thread_name_prefix=f"fetch-{kind}")
        self._loading = ThreadPoolExecutor(_LOADS, thread_name_prefix=f"load-{kind}")
        self._stores: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_FETCHES_OF_A_STORE))

    async def fetch(self, fetch: Callable[[Artifact], None], artifact: Artifact) -> None:
        """Fetch an artifact, in turn with others of its store."""
        async with self._stores[store_of(artifact.uri)]:
            await on(self._fetching, fetch, artifact)

    async def load(self, call: Callable[..., Result], *args: object) -> Result:
        """Call what waits for no store."""
        return await on(self._loading, call, *args)

    def close(self) -> None:
        """Let the threads end."""
        for pool in (self._fetching, self._loading):
            pool.shutdown(wait=False, cancel_futures=True)


def on(pool: ThreadPoolExecutor, call: Callable[..., Result], *args: object) -> asyncio.Future[Result]:
    """Call on a thread of the pool, as a future of the running loop."""
    return asyncio.get_running_loop().run_in_executor(pool, call, *args)
