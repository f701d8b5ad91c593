"""`phalanx up`: the operator's loop over a local cluster, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from phalanx_contract.runtime import ENV_DRAIN_LAG_S
from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.build import Versions
from phalanx_operator.local import claims, files
from phalanx_operator.local.cluster import LocalCluster
from phalanx_operator.local.live import SHOWN, SPANS, View, adapter_view, ensemble_view, pool_view
from phalanx_operator.local.runner import ProcessRunner
from phalanx_operator.local.state import StateDir
from phalanx_operator.observe.scrape import Scraper
from phalanx_operator.observe.store import ref_of
from phalanx_operator.observe.targets import targets
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.loop import Loop
from phalanx_operator.reconcile.pool import Reconciler
from phalanx_operator.reconcile.ports import Note

logger = logging.getLogger(__name__)

TICK_S: Final = 1.0
RESTART: Final = Backoff(initial_s=0.5, max_s=30.0)
NOTES: Final = 8
ROUTED_HERE: Final = {ENV_DRAIN_LAG_S: "1"}
"""The only router is this process: it knows at once that a worker ends."""

Show = Callable[[View], None]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`port` is that of the first pool (by name), the next ones follow it; 0 takes free ones."""

    paths: Sequence[Path]
    state: StateDir
    port: int = 8080
    watch: bool = True
    claims: Mapping[str, Path] = field(default_factory=dict)
    status_copy: Path | None = None


class Up:
    """One `phalanx up`. `show` gets the state once a second, `say` a line for whatever happens."""

    def __init__(self, options: Options, session: aiohttp.ClientSession, *, show: Show, say: Say) -> None:
        self._options = options
        self._session = session
        self._show, self._say = show, say
        runner = ProcessRunner(options.state.pods, backoff=RESTART, environ={**ROUTED_HERE, **os.environ})
        self._cluster = LocalCluster(runner, claims=options.claims, tell=self._tell)
        versions = Versions(worker_image="local", failure_policy=True)
        reconciler = Reconciler(self._cluster, session=session, clock=time.time, versions=versions)
        self._loop = Loop(self._cluster, reconciler, time.time)
        self._cluster.mark = self._loop.mark
        self._scrapers: dict[Key, Scraper] = {}
        self._urls: dict[Key, str] = {}
        self._stamp: object = None
        self._notes: deque[str] = deque(maxlen=NOTES)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            files.FilesError: the files were wrong from the start, or lack a claim's folder; later faults are said, and
                the last good state stays.
            OSError: a port is taken.
        """
        self._stamp = _stamp(self._options.paths)
        await self.take(files.load(self._options.paths))
        loop = asyncio.create_task(self._loop.run(), name="loop")
        try:
            while not stop.is_set():
                await self._tick()
                try:
                    async with asyncio.timeout(TICK_S):
                        await stop.wait()
                except TimeoutError:
                    continue
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    async def close(self, *, grace_s: float | None = None) -> None:
        """End all processes."""
        await self._cluster.close(grace_s=grace_s)

    async def _tick(self) -> None:
        if self._options.watch:
            await self._reload()
        await self._cluster.sync()
        view = await self._view()
        self._options.state.write(view, copy=self._options.status_copy)
        self._show(view)

    async def _reload(self) -> None:
        stamp = _stamp(self._options.paths)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            await self.take(files.load(self._options.paths))
        except (files.FilesError, OSError) as error:
            for fault in str(error).splitlines():
                self._say(f"kept what was there before: {fault}")

    async def take(self, loaded: files.Loaded) -> None:
        """Make the files' resources all there are.

        Raises:
            files.FilesError: a resource names a claim that no folder stands for; nothing was changed then.
            OSError: a new pool's port is taken.
        """
        if faults := claims.without_folder(loaded.objects, self._options.claims):
            raise files.FilesError(faults)
        for skipped in loaded.skipped:
            self._say(f"skipped {skipped}: it has no meaning without a cluster")
        pools = {ref_of(obj).key for obj in loaded.objects if obj["kind"] == "ServingPool"}
        for key in sorted(pools - self._urls.keys(), key=str):
            self._urls[key] = await self._open(key)
            self._say(f"pool {key.name} at {self._urls[key]}")
        changed = self._cluster.write(loaded.objects)
        for key in self._urls.keys() - pools:
            del self._urls[key]
            await self._cluster.close_pool(key)
        self._say(f"{len(loaded.objects)} resources, {changed} changed")

    async def _open(self, pool: Key) -> str:
        """Listen for a pool's clients at the first port that no other pool has. Raises OSError if it is taken."""
        used = {int(url.rpartition(":")[2]) for url in self._urls.values()}
        first = self._options.port
        port = next((port for port in range(first, 65536) if port not in used), 0) if first else 0
        try:
            host, port = await self._cluster.open_front(pool, port=port)
        except OSError as error:
            problem = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(f"pool {pool.name}: port {port}: {problem}; choose another with --port") from error
        return f"http://{host}:{port}"

    async def _view(self) -> View:
        """The state file's content."""
        store, vectors, workers = self._cluster.store, {}, {}
        now = time.time()
        for key in self._urls:
            addresses = [target for target in targets(await self._cluster.pods(key)) if target.ready]
            scraper = self._scrapers.setdefault(key, Scraper(SPANS, SHOWN))
            await scraper.scrape(self._session, addresses, now=now)
            vectors[key.name], workers[key.name] = scraper.vectors(now=now), len(scraper.fresh(now=now))
        return {
            "at": now,
            "pools": [self._pool(obj) for obj in store.all_of("ServingPool")],
            "ensembles": [
                ensemble_view(obj, vectors.get(obj["spec"]["pool"], {}), workers=workers.get(obj["spec"]["pool"], 0))
                for obj in store.all_of("StudentEnsemble")
            ],
            "adapters": [adapter_view(obj) for obj in store.all_of("TenantAdapter")],
            "notes": list(self._notes),
        }

    def _pool(self, obj: Manifest) -> View:
        key = ref_of(obj).key
        return pool_view(obj, self._cluster.workloads.get(key), url=self._urls[key])

    def _tell(self, obj: Manifest, note: Note) -> None:
        text = f"{obj['kind']} {obj['metadata']['name']}: {note.reason}: {note.text}"
        self._notes.append(f"{time.strftime('%H:%M:%S')} {text}")
        self._say(text)


def _stamp(paths: Sequence[Path]) -> object:
    """Changes when a file does."""
    return [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in paths]
