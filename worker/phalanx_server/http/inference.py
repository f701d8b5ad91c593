"""The four endpoints that compute something."""

from __future__ import annotations

import time

from aiohttp import web

from phalanx_server.errors import Unprocessable
from phalanx_server.http.exchange import WORKER, answer, find, read_body, respond, with_version
from phalanx_server.protocols import oip, openai, tei


async def infer(request: web.Request) -> web.Response:
    """`POST /v2/models/{m}/infer`."""
    body = await read_body(request)
    target = with_version(request, find(request, request.match_info["model"]))
    call = oip.parse_infer(body, classes=len(target.labels), most=_most(request))
    reply = await answer(request, target, call.query)
    return respond(oip.render_infer(call, reply), reply)


async def predict(request: web.Request) -> web.Response:
    """`POST /predict`."""
    start_s = time.monotonic()
    call = tei.parse_predict(await read_body(request), most=_most(request))
    target = find(request)
    if not target.labels:
        raise Unprocessable(f"the model {target.name} has no classes: use /embed")
    reply = await answer(request, target, call.query)
    body = tei.render_predict(call, reply)
    return respond(body, reply, tei.timing_headers(reply, total_s=time.monotonic() - start_s))


async def embed(request: web.Request) -> web.Response:
    """`POST /embed`."""
    start_s = time.monotonic()
    call = tei.parse_embed(await read_body(request), most=_most(request))
    reply = await answer(request, find(request), call.query)
    body = tei.render_embed(call, reply)
    return respond(body, reply, tei.timing_headers(reply, total_s=time.monotonic() - start_s))


async def embeddings(request: web.Request) -> web.Response:
    """`POST /v1/embeddings`."""
    call = openai.parse_embeddings(await read_body(request), most=_most(request))
    reply = await answer(request, find(request, call.model), call.query)
    return respond(openai.render_embeddings(call, reply), reply)


def _most(request: web.Request) -> int:
    return request.app[WORKER].settings.max_texts
