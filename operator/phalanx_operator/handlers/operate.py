"""Put together and run: connection, fence, election, health; then the replica."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import aiohttp

from phalanx_operator.api.types import Key
from phalanx_operator.apply.api import ApiError, KubeApi
from phalanx_operator.apply.connect import connect
from phalanx_operator.apply.discovery import require_definitions, served_versions
from phalanx_operator.build import Versions
from phalanx_operator.handlers.health import serve_health
from phalanx_operator.handlers.replica import Replica
from phalanx_operator.handlers.watch import PLURALS
from phalanx_operator.lead.elector import Elector
from phalanx_operator.lead.fence import Fence, always_open
from phalanx_operator.lead.lease import Lease
from phalanx_operator.reconcile.backoff import Backoff

logger = logging.getLogger(__name__)

API_RETRY: Final = Backoff(initial_s=1.0, max_s=15.0)
LEASE_TIMEOUT_S: Final = 4.0
"""For one request about the lease: two of them, and a pause, fit into the time that a renewal may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`namespaces` empty: the whole cluster. `worker_image` serves pools that name none.

    `lease` is what the replicas share; None: this process is the only one. No two processes that may run at the same
    time have the same `identity`.
    """

    worker_image: str
    namespaces: tuple[str, ...] = ()
    own_namespace: str = ""
    image_by_digest: bool = False
    host: str = "0.0.0.0"  # noqa: S104 - a pod's own network namespace
    port: int = 8081
    lease: Key | None = None
    identity: str = ""


async def operate(options: Options) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        kubernetes.aio.config.ConfigException: no cluster is configured.
        OSError: the health port is taken.
    """
    stop = asyncio.Event()
    _heed_signals(stop)
    async with AsyncExitStack() as stack:
        client = await connect()
        stack.push_async_callback(client.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fence, elector = always_open(), None
        if options.lease is not None:
            fence = Fence()
            lease = Lease(KubeApi(client, timeout_s=LEASE_TIMEOUT_S, patient=False), options.lease)
            elector = Elector(lease, fence, identity=options.identity)
        api = KubeApi(client, fence=fence)
        replica = Replica(api, session, fence, elector, namespaces=options.namespaces)
        health = await serve_health(host=options.host, port=options.port, alive=replica.problem, ready=replica.waits)
        stack.push_async_callback(health.cleanup)
        versions = await _versions(api, options, stop)
        if versions is not None:
            await replica.run(versions, stop, on_kopf=lambda: _heed_signals(stop))


def _heed_signals(stop: asyncio.Event) -> None:
    """Have signals set `stop`. Kopf takes them for itself when it begins: then it would end before the rounds do."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


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
            # This group is there from 1.29 on. By default Jobs take a failure policy from 1.26 on, and budgets an
            # eviction policy from 1.27 on.
            recent = "flowcontrol.apiserver.k8s.io/v1" in served
            return Versions(
                worker_image=options.worker_image,
                policy_api=policy,
                operator_namespace=options.own_namespace,
                failure_policy=recent,
                eviction_policy=recent,
                image_by_digest=options.image_by_digest,
            )
    return None
