"""Metrics from a Prometheus server, by its query API."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Literal

import aiohttp
import msgspec

from phalanx_operator.decide.types import Observation
from phalanx_operator.observe import promql
from phalanx_operator.observe.assemble import assemble, labels_of
from phalanx_operator.observe.signals import SIGNALS, Labels, Spans, Vector
from phalanx_operator.observe.targets import Target

TIMEOUT_S = 10.0
"""For one query; all of a pool's queries run at the same time."""


class PrometheusError(Exception):
    """A query could not be answered; the text is one line."""


class _Entry(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, frozen=True):
    result: tuple[_Entry, ...]
    result_type: Literal["vector"] = msgspec.field(name="resultType")


class _Answer(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    error: str = ""


_DECODER = msgspec.json.Decoder(_Answer)


async def observe(session: aiohttp.ClientSession, url: str, targets: Sequence[Target], *, spans: Spans) -> Observation:
    """Query every signal of these workers.

    Some queries may fail while others succeed: what failed stays unknown (None), which decisions treat as
    HOLD. Nothing is raised; `problem` says what went wrong if there is nothing to decide on.
    """
    ready = [target for target in targets if target.ready]
    if not ready:
        return assemble({}, at=None, seen=0, ready=0)
    queries = {signal.name: promql.query(signal, ready, window_s=spans.of(signal.span)) for signal in SIGNALS}
    queries |= {"newest": promql.newest(ready), "seen": promql.seen(ready, window_s=spans.load_s)}
    answers = await asyncio.gather(*(_query(session, url, text) for text in queries.values()), return_exceptions=True)
    found: dict[str, list[_Entry]] = {}
    for name, answer in zip(queries, answers, strict=True):
        if isinstance(answer, PrometheusError):
            if name in ("newest", "seen"):
                return Observation(at=None, workers=0, problem=f"Prometheus at {url}: {answer}")
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[name] = answer
    vectors = {signal.name: _vector(signal.labels, found.get(signal.name, [])) for signal in SIGNALS}
    newest, seen = _scalar(found["newest"]), _scalar(found["seen"])
    return assemble(vectors, at=newest, seen=int(seen or 0), ready=len(ready))


async def _query(session: aiohttp.ClientSession, url: str, text: str) -> list[_Entry]:
    """Run one instant query. Raises PrometheusError."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        # POST: with hundreds of workers the matchers outgrow a URL.
        async with session.post(f"{url.rstrip('/')}/api/v1/query", data={"query": text}, timeout=timeout) as response:
            body = await response.read()
    except TimeoutError as error:
        raise PrometheusError(f"no answer within {TIMEOUT_S:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise PrometheusError(str(error) or type(error).__name__) from error
    try:
        answer = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PrometheusError(f"HTTP {response.status} and no query result: {error}") from error
    if answer.status != "success" or answer.data is None:
        raise PrometheusError(answer.error or f"HTTP {response.status}")
    return list(answer.data.result)


def _vector(labels: tuple[str, ...], entries: list[_Entry]) -> Vector:
    vector: dict[Labels, float] = {}
    for entry in entries:
        value = float(entry.value[1])
        if not math.isnan(value):
            vector[labels_of(labels, entry.metric)] = value
    return vector


def _scalar(entries: list[_Entry]) -> float | None:
    return next(iter(_vector((), entries).values()), None)
