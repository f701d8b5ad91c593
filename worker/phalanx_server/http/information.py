"""Endpoints that only tell: health, metadata, metrics, the report for the operator."""

from __future__ import annotations

import msgspec
from aiohttp import web

from phalanx_contract.worker import LoadState
from phalanx_server.answers import version
from phalanx_server.errors import BadRequest
from phalanx_server.http.exchange import WORKER, find, plan_headers, received, versions, with_version
from phalanx_server.protocols import oip, tei
from phalanx_server.protocols.body import decode


async def live(request: web.Request) -> web.Response:
    """`GET /v2/health/live`: false asks for a restart."""
    alive = request.app[WORKER].alive
    return _json(msgspec.json.encode({"live": alive}), status=200 if alive else 503)


async def ready(request: web.Request) -> web.Response:
    """`GET /v2/health/ready`: false asks routers to leave this worker out, and says why."""
    worker = request.app[WORKER]
    problem = worker.problem()
    body = {"ready": not problem, **({"reason": problem} if problem else {})}
    return _json(msgspec.json.encode(body), status=503 if problem else 200, headers=plan_headers(worker))


async def server(request: web.Request) -> web.Response:
    """`GET /v2`."""
    return _json(oip.render_server(release=request.app[WORKER].release))


async def model(request: web.Request) -> web.Response:
    """`GET /v2/models/{m}`."""
    found = find(request, request.match_info["model"])
    target = with_version(request, found)
    hidden = target.model.grid.geometry.hidden
    known = versions(request, found)
    return _json(oip.render_model(name=target.name, versions=known, classes=len(target.labels), hidden=hidden))


async def model_ready(request: web.Request) -> web.Response:
    """`GET /v2/models/{m}/ready`."""
    target = with_version(request, find(request, request.match_info["model"]))
    serves = target.tenant is None or target.tenant.weights is not None
    return _json(msgspec.json.encode({"name": target.name, "ready": serves}), status=200 if serves else 503)


class IndexBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v2/repository/index`; the body may be empty."""

    ready: bool = False


async def repository_index(request: web.Request) -> web.Response:
    """The ensembles of the plan, and how they are. Tenants are not listed: their names are their own business."""
    data = await received(request)
    body = decode(data, IndexBody, wrong_shape=BadRequest) if data.strip() else IndexBody()
    index = []
    for report in (hosted.report() for hosted in request.app[WORKER].registry.hosted.values()):
        state = "READY" if report.digest else "LOADING" if report.state is LoadState.LOADING else "UNAVAILABLE"
        if state == "READY" or not body.ready:
            digest = report.digest or report.wanted_digest
            index.append({"name": report.name, "version": version(digest), "state": state, "reason": report.message})
    return _json(msgspec.json.encode(index))


async def info(request: web.Request) -> web.Response:
    """`GET /info`."""
    worker, target = request.app[WORKER], find(request)
    settings = worker.settings
    limits = {
        "max_input_length": target.model.tokenizer.max_tokens,
        "max_batch_tokens": settings.batch_tokens,
        "max_batch_requests": settings.batch_texts,
        "max_client_batch_size": settings.max_texts,
        "tokenization_workers": settings.tokenizer_threads,
    }
    return _json(
        tei.render_info(
            name=target.name,
            digest=target.model.digest,
            fidelity=target.model.fidelity,
            pooling=target.model.grid.geometry.pooling,
            labels=target.labels,
            limits=limits,
            release=worker.release,
        )
    )


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`."""
    body = await request.app[WORKER].exposition()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def status(request: web.Request) -> web.Response:
    """`GET /phalanx/status`."""
    return _json(msgspec.json.encode(request.app[WORKER].status()))


def _json(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
