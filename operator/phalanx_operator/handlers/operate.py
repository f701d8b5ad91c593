"""Put together and run: connection, Kopf, rounds, health."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import aiohttp
import kopf

from phalanx_operator.apply.api import ApiError, KubeApi
from phalanx_operator.apply.connect import connect
from phalanx_operator.apply.discovery import require_definitions, served_versions
from phalanx_operator.build import Versions
from phalanx_operator.handlers.cluster import KubernetesCluster
from phalanx_operator.handlers.health import serve_health
from phalanx_operator.handlers.resync import resync_forever
from phalanx_operator.handlers.watch import PLURALS, Watch, register
from phalanx_operator.reconcile.backoff import Backoff
from phalanx_operator.reconcile.census import Census
from phalanx_operator.reconcile.loop import Loop
from phalanx_operator.reconcile.pool import Reconciler
from phalanx_operator.reconcile.tally import REGISTRY

logger = logging.getLogger(__name__)

API_RETRY: Final = Backoff(initial_s=1.0, max_s=15.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`namespaces` empty: the whole cluster. `worker_image` serves pools that name none."""

    worker_image: str
    namespaces: tuple[str, ...] = ()
    own_namespace: str = ""
    image_by_digest: bool = False
    host: str = "0.0.0.0"  # noqa: S104 - a pod's own network namespace
    port: int = 8081


async def operate(options: Options, *, stop: asyncio.Event) -> None:
    """Run until `stop` is set, or until Kopf ends by itself.

    Raises:
        kubernetes.aio.config.ConfigException: no cluster is configured.
        OSError: the health port is taken.
    """
    async with AsyncExitStack() as stack:
        api = await connect()
        stack.push_async_callback(api.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        started = asyncio.Event()
        loops: list[Loop] = []
        health = await serve_health(
            host=options.host,
            port=options.port,
            alive=lambda: loops[0].problem() if loops else "",
            ready=lambda: "" if started.is_set() else "the resources are being read",
        )
        stack.push_async_callback(health.cleanup)
        versions = await _versions(api, options, stop)
        if versions is None:
            return
        cluster = KubernetesCluster(api, policy_api=versions.policy_api)
        census = Census(cluster.store)
        REGISTRY.register(census)
        stack.callback(REGISTRY.unregister, census)
        reconciler = Reconciler(cluster, session=session, clock=time.time, versions=versions)
        loops.append(Loop(cluster, reconciler, time.time))
        await _run(cluster, loops[0], options, stop=stop, started=started)


async def _run(
    cluster: KubernetesCluster, loop: Loop, options: Options, *, stop: asyncio.Event, started: asyncio.Event
) -> None:
    """Kopf in front; when it ends, everything does."""
    watch = Watch(cluster.store, loop.mark)
    registry = kopf.OperatorRegistry()
    register(registry, watch, namespaced=bool(options.namespaces))
    background = [
        asyncio.create_task(_after(started, loop), name="loop"),
        asyncio.create_task(resync_forever(cluster, watch.feed, options.namespaces), name="resync"),
    ]
    try:
        await kopf.operator(
            registry=registry,
            standalone=True,
            clusterwide=not options.namespaces,
            namespaces=options.namespaces,
            stop_flag=stop,
            ready_flag=started,
        )
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


async def _after(started: asyncio.Event, loop: Loop) -> None:
    await started.wait()
    await loop.run()


async def _versions(api: KubeApi, options: Options, stop: asyncio.Event) -> Versions | None:
    """Ask what the server serves; wait for a server that is down, and for our definitions. None if stopped before."""
    backoff = API_RETRY
    while not stop.is_set():
        try:
            served = await served_versions(api)
            await require_definitions(api, PLURALS)
        except ApiError as error:
            backoff = backoff.failed()
            logger.warning("%s; next try in %g s", error, backoff.delay_s)
            try:
                async with asyncio.timeout(backoff.delay_s):
                    await stop.wait()
            except TimeoutError:
                continue
        else:
            policy = "policy/v1" if "policy/v1" in served else "policy/v1beta1"
            return Versions(
                worker_image=options.worker_image,
                policy_api=policy,
                operator_namespace=options.own_namespace,
                image_by_digest=options.image_by_digest,
            )
    return None
