"""Workers for tests: HTTP servers that expose what they are told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from phalanx_contract import metrics
from phalanx_contract.metrics import Metric
from phalanx_operator.observe.targets import Target


class FakeWorker:
    """`registry` holds all metrics of the contract; `status` is the JSON of /phalanx/status."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status: Any = {}
        self.broken = False
        self.port = 0
        self.registry = CollectorRegistry()
        self._metrics = {metric.name: _make(metric, self.registry) for metric in metrics.ALL}

    def metric(self, metric: Metric) -> Any:
        return self._metrics[metric.name]

    @property
    def target(self) -> Target:
        return Target(namespace="default", pod=self.name, host="127.0.0.1", port=self.port, ready=True)

    async def _metrics_page(self, _: web.Request) -> web.Response:
        return web.Response(status=500) if self.broken else web.Response(body=generate_latest(self.registry))

    async def _status_page(self, _: web.Request) -> web.Response:
        return web.Response(status=500) if self.broken else web.json_response(self.status)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeWorker]:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics_page)
        app.router.add_get("/phalanx/status", self._status_page)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


def _make(metric: Metric, registry: CollectorRegistry) -> Any:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, registry=registry)
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
