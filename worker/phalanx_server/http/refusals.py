"""Every request ends in an answer: errors of any kind in the shape of the protocol that was spoken."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from phalanx_contract import metrics as names
from phalanx_server.errors import (
    BadRequest,
    EngineFailed,
    MethodNotAllowed,
    NotFound,
    ServeError,
    TooLarge,
    Unauthorized,
)
from phalanx_server.http.exchange import TALLY, WORKER, Tally
from phalanx_server.protocols import oip, openai, tei

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CLIENT_LEFT: Final = 499
"""The code that is counted for a request whose client went away; nobody receives it."""


@web.middleware
async def answer_always(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into answers, count texts by status, and tell clients of a draining worker to reconnect."""
    worker = request.app[WORKER]
    tally = Tally()
    TALLY.set(tally)
    worker.active += 1
    status = _CLIENT_LEFT
    try:
        response = await _run(request, handler)
        status = response.status
        if worker.draining:
            response.force_close()
            response.headers["Connection"] = "close"
        return response
    finally:
        worker.active -= 1
        if request.method == "POST":
            worker.metrics.inc(names.REQUESTS, tally.ensemble, status, by=tally.texts)


async def _run(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ServeError as error:
        return _refuse(request, error)
    except web.HTTPException as error:
        return _refuse(request, _of_http(request, error))
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _refuse(request, EngineFailed("the server failed on this request: see its log"))


def _of_http(request: web.Request, error: web.HTTPException) -> ServeError:
    """aiohttp's own refusals in our words."""
    if isinstance(error, web.HTTPNotFound):
        return NotFound(f"there is nothing at {request.path[:256]}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(f"{request.method} is not for {request.path[:256]}", allowed=error.allowed_methods)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return TooLarge("the body is too large")
    return BadRequest(error.reason or "bad request")


def _refuse(request: web.Request, error: ServeError) -> web.Response:
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    body = _renderer(request.path)(error)
    return web.Response(body=body, status=error.status, content_type="application/json", headers=headers)


def _renderer(path: str) -> Callable[[ServeError], bytes]:
    if path.startswith("/v2"):
        return oip.render_error
    return openai.render_error if path.startswith("/v1") else tei.render_error
