"""A worker's life: listen, serve, and on SIGTERM drain and go.

serving  --SIGTERM-->  draining: not ready, still answering     (`drain_lag_s`: routers notice)
         -->           closed: no new connections, the rest is finished   (`drain_s` in all)
         -->           exit 0, or 1 if time was up or a second signal came
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Callable
from typing import Final

from aiohttp import web

from phalanx_contract.plan import Plan
from phalanx_server.http.app import make_app
from phalanx_server.http.protocol_faults import log as http_log
from phalanx_server.settings import Settings
from phalanx_server.worker import Worker

log = logging.getLogger(__name__)

_SWITCH_S: Final = 0.0005
"""How long a thread keeps the interpreter while another waits for it; Python's own default is ten times that. The
engine lets go of it for every operation on tensors, hundreds in a batch, and would wait that long for the event loop to
give it back whenever a batch is delivered."""

_COLLECT_EVERY: Final = 20_000
"""How many more objects there are before the collector looks at them. With Python's 700 it does so several times in a
batch, only to find requests that are still on their way; what they leave behind is freed without it."""


_ARRIVE_S: Final = 2.0
"""How long a worker that goes waits for bodies that are on their way: a client that stalls must not hold it up."""


async def run(settings: Settings, *, plan: Plan | None, announce: Callable[[str], None]) -> int:
    """Serve until a signal; the exit code. `announce` gets the base URL once requests are taken."""
    _tune_interpreter()
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry)
    worker = Worker(settings)
    runner = web.AppRunner(
        make_app(worker), handler_cancellation=True, access_log=None, logger=http_log, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        worker.start(plan)
        site = await _listen(runner, settings)
        announce(address(settings.host, runner.addresses[0][1]))
        await stop.wait()
        log.info("draining")
        unanswered = await drain(worker, site, hurry)
    finally:
        await runner.cleanup()
        await worker.close()
    if unanswered:
        log.warning("gone with %d requests unanswered", unanswered)
    return 1 if unanswered else 0


async def _listen(runner: web.AppRunner, settings: Settings) -> web.TCPSite:
    site = web.TCPSite(runner, settings.host, settings.port)
    try:
        await site.start()
    except OSError as error:
        where = f"--host {settings.host} --port {settings.port}"
        raise OSError(f"{where}: cannot listen there, choose another: {error.strerror or error}") from error
    return site


def _tune_interpreter() -> None:
    """For two threads that are both busy: the event loop and the engine's. What is imported by now lives for ever, so
    the collector need not look at it again and again, while both wait."""
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)


async def drain(worker: Worker, site: web.TCPSite, hurry: asyncio.Event) -> int:
    """Fail readiness, stop listening, wait for what runs; the number of requests that did not finish."""
    worker.draining = True
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + worker.settings.drain_s
    await _unless(hurry, min(worker.settings.drain_lag_s, worker.settings.drain_s))
    worker.accepting = False
    await site.stop()
    arrived_s = loop.time() + _ARRIVE_S
    while loop.time() < deadline_s and not hurry.is_set():
        if not (worker.active if loop.time() < arrived_s else worker.active - worker.receiving):
            break
        await _unless(hurry, 0.02)
    return worker.active - worker.receiving


async def _unless(event: asyncio.Event, seconds: float) -> None:
    """Sleep, or wake at the event."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    def handle() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, handle)


def address(host: str, port: int) -> str:
    """Where this machine reaches a server that listens on the host; one for all addresses of a kind by loopback."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
