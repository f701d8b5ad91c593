"""Metrics from a Prometheus: which workers it sees, then every signal of those."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import aiohttp

from phalanx_operator.decide.types import Observation
from phalanx_operator.observe import promql
from phalanx_operator.observe.assemble import assemble, labels_of
from phalanx_operator.observe.promapi import Endpoint, PrometheusError, Sample, query
from phalanx_operator.observe.signals import RAMPS, SIGNALS, Signal, Spans, Vector
from phalanx_operator.observe.targets import Target


async def observe(
    session: aiohttp.ClientSession, endpoint: Endpoint, targets: Sequence[Target], *, spans: Spans
) -> Observation:
    """Query every signal of these workers. Nothing is raised: `problem` says what went wrong.

    A query that fails, or is answered in part, spoils the observation, since sums over some of the data read as less
    load than there is; one of the ramps' statistics spoils nothing but those.
    """
    ready = [target for target in targets if target.ready]
    if not ready:
        return assemble({}, at=None, seen=0, ready=0)
    try:
        times = await query(session, endpoint, promql.sightings(ready, window_s=spans.load_s))
    except PrometheusError as error:
        return _problem(endpoint, error)
    seen = promql.seen_of(times, ready)
    hint = f"; Prometheus needs two samples of each within {spans.load_s:g} s: look at its targets and scrape interval"
    if not seen.count:
        return assemble({}, at=None, seen=0, ready=len(ready), hint=hint)
    answers = await _signals(session, endpoint, seen, spans)
    for signal, answer in answers.items():
        if isinstance(answer, PrometheusError) and signal is not RAMPS:
            return _problem(endpoint, answer)
    vectors = {each.name: _vector(each, answer) for each, answer in answers.items() if isinstance(answer, tuple)}
    observation = assemble(vectors, at=seen.at, seen=seen.count, ready=len(ready), hint=hint)
    ramps = answers[RAMPS]
    return replace(observation, ramps_problem=_text(endpoint, ramps)) if isinstance(ramps, Exception) else observation


async def _signals(
    session: aiohttp.ClientSession, endpoint: Endpoint, seen: promql.Seen, spans: Spans
) -> Mapping[Signal, tuple[Sample, ...] | PrometheusError]:
    """The answers to all queries, asked at the same time."""

    async def one(signal: Signal) -> tuple[Sample, ...] | PrometheusError:
        try:
            return await query(session, endpoint, promql.query(signal, seen, window_s=spans.of(signal.span)))
        except PrometheusError as error:
            return error

    return dict(zip(SIGNALS, await asyncio.gather(*map(one, SIGNALS)), strict=True))


def _problem(endpoint: Endpoint, error: PrometheusError) -> Observation:
    return Observation(at=None, workers=0, problem=_text(endpoint, error), fault=error.fault)


def _text(endpoint: Endpoint, error: Exception) -> str:
    return f"Prometheus at {endpoint.url}: {error}"


def _vector(signal: Signal, samples: Sequence[Sample]) -> Vector:
    return {labels_of(signal.labels, labels): value for labels, value in samples if not math.isnan(value)}
