"""What all inference handlers share: reading the body, finding the model, sending the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from phalanx_contract.runtime import HEADER_MODEL, HEADER_PLAN, HEADER_TENANT
from phalanx_server.answers import Query, Reply, version
from phalanx_server.errors import (
    BadRequest,
    NotFound,
    SlowBody,
    TooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)
from phalanx_server.serving.routing import Address, Target, resolve
from phalanx_server.worker import Worker

WORKER = web.AppKey("worker", Worker)

_ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
"""What a body may be in. Others depend on what else is installed, or would be read as if they were plain."""


@dataclass(slots=True)
class Tally:
    """What a request is counted as; the ensemble is empty until one is found."""

    ensemble: str = ""
    texts: int = 1


TALLY: ContextVar[Tally] = ContextVar("tally")
"""Of the request that is being handled."""


async def read_body(request: web.Request) -> bytes:
    """The body of a JSON request.

    Raises:
        UnsupportedMedia, TooLarge: before a byte is read, where the headers tell. Others as `received`.
    """
    if request.content_type != "application/json":
        sent = request.headers.get("Content-Type", "")
        raise UnsupportedMedia(f"the content type is {sent[:64]!r}; send application/json")
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in _ENCODINGS:
        raise UnsupportedMedia(f"the content encoding is {encoding[:64]!r}; send the body plain, or in gzip or deflate")
    most = request.app[WORKER].settings.max_body_bytes
    if (request.content_length or 0) > most:
        raise TooLarge(f"the body has {request.content_length} bytes; at most {most}")
    return await received(request)


async def received(request: web.Request) -> bytes:
    """The whole body, as it was before it was encoded.

    Raises:
        TooLarge, SlowBody, BadRequest: it cannot be had.
    """
    worker = request.app[WORKER]
    most, within_s = worker.settings.max_body_bytes, worker.settings.request_timeout_s
    worker.receiving += 1
    try:
        async with asyncio.timeout(within_s):
            return await request.read()
    except TimeoutError as error:
        raise SlowBody(f"the body has not arrived within {within_s:g} s") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLarge(f"the body has more than {most} bytes") from error
    except web.RequestPayloadError as error:
        raise BadRequest("the body is broken off, or not in its Content-Encoding or Transfer-Encoding") from error
    finally:
        worker.receiving -= 1


def find(request: web.Request, model: str | None = None) -> Target:
    """What answers the request; errors as `resolve`. With no model in path or body, `?model=` or a header names it."""
    worker = request.app[WORKER]
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    named = model if model is not None else request.query.get("model", _header(request, HEADER_MODEL))
    address = Address(
        model=named,
        tenant=_header(request, HEADER_TENANT),
        api_key=key.strip() if scheme.lower() == "bearer" else "",
    )
    target = resolve(worker.registry.hosted, address)
    TALLY.get().ensemble = target.ensemble
    return target


def _header(request: web.Request, name: str) -> str:
    """Its value; empty without one. Client and proxy may each add one: neither may win unseen.

    Raises:
        Unprocessable: it is there with different values.
    """
    values = set(request.headers.getall(name, ()))
    if len(values) > 1:
        raise Unprocessable(f"the header {name} is there with {len(values)} different values; send one")
    return values.pop() if values else ""


def with_version(request: web.Request, target: Target) -> Target:
    """The target of the version that the path names: the one that serves, or the candidate for its place.

    Raises:
        NotFound: it is neither.
    """
    wanted = request.match_info.get("version")
    if wanted is None:
        return target
    models = {version(target.model.digest): target}
    trial = request.app[WORKER].registry.trials.get(target.ensemble)
    if trial is not None and trial.shelf is not None and target.tenant is None:
        models[version(trial.shelf.model.digest)] = replace(target, hosted=trial.hosted, shelf=trial.shelf)
    if wanted not in models:
        raise NotFound(f"version {wanted[:64]!r} is not served; there is {', '.join(models)}")
    return replace(models[wanted], fixed=True)


def versions(request: web.Request, target: Target) -> list[str]:
    """Those that can be asked for; the first is the one that serves."""
    trial = request.app[WORKER].registry.trials.get(target.ensemble)
    shelves = [target.shelf, *([trial.shelf] if trial and trial.shelf and target.tenant is None else ())]
    return [version(shelf.model.digest) for shelf in shelves]


async def answer(request: web.Request, target: Target, query: Query) -> Reply:
    """The answers to a query; errors as `Answering.answer`."""
    worker = request.app[WORKER]
    TALLY.get().texts = len(query.texts)
    if not worker.accepting:
        raise Unavailable("this worker is going away; try again", retry_after_s=1.0)
    return await worker.canary.answer(target, query, objective_s=worker.objective_s)


def respond(body: bytes, reply: Reply, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer that says how it was made."""
    return web.Response(body=body, content_type="application/json", headers={**reply.made_by(), **(headers or {})})


def plan_headers(worker: Worker) -> dict[str, str]:
    """The plan being served, for answers that no text was computed for."""
    return {HEADER_PLAN: worker.registry.plan_hash} if worker.registry.plan_hash else {}
