"""The operator's own HTTP port: liveness, readiness, metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from phalanx_operator.tally import REGISTRY

Problem = Callable[[], str]
"""Says in a sentence what is wrong; empty if nothing is."""


async def serve_health(*, host: str, port: int, alive: Problem, ready: Problem) -> web.AppRunner:
    """Serve /healthz, /readyz and /metrics; the caller cleans the runner up. Raises OSError if the port is taken.

    The answers come from the same event loop as the rounds, so a loop that hangs fails the probe by its timeout.
    """

    def answer(problem: Problem) -> Callable[[web.Request], object]:
        async def handler(_: web.Request) -> web.Response:
            text = problem()
            return web.Response(text=text or "ok", status=503 if text else 200)

        return handler

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", answer(alive))  # type: ignore[arg-type]
    app.router.add_get("/readyz", answer(ready))  # type: ignore[arg-type]
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
