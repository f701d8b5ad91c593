"""The table of routes."""

from __future__ import annotations

from aiohttp import web

from phalanx_contract.worker import STATUS_PATH
from phalanx_server.http import inference, information
from phalanx_server.http.exchange import WORKER
from phalanx_server.http.refusals import answer_always
from phalanx_server.worker import Worker


def make_app(worker: Worker) -> web.Application:
    """The application over a worker; starting and stopping the worker is the caller's task."""
    app = web.Application(middlewares=[answer_always], client_max_size=worker.settings.max_body_bytes)
    app[WORKER] = worker
    app.add_routes(
        [
            web.get("/v2", information.server),
            web.get("/v2/health/live", information.live),
            web.get("/v2/health/ready", information.ready),
            web.post("/v2/repository/index", information.repository_index),
            web.get("/v2/models/{model}", information.model),
            web.get("/v2/models/{model}/ready", information.model_ready),
            web.post("/v2/models/{model}/infer", inference.infer),
            web.get("/v2/models/{model}/versions/{version}", information.model),
            web.get("/v2/models/{model}/versions/{version}/ready", information.model_ready),
            web.post("/v2/models/{model}/versions/{version}/infer", inference.infer),
            web.post("/predict", inference.predict),
            web.post("/embed", inference.embed),
            web.post("/v1/embeddings", inference.embeddings),
            web.get("/info", information.info),
            web.get("/health", information.ready),
            web.get("/metrics", information.metrics),
            web.get(STATUS_PATH, information.status),
        ]
    )
    return app
