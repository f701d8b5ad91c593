"""Read a pool's load, from where its spec says, once in an interval."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from phalanx_contract.conditions import Reason
from phalanx_operator.api.types import Prometheus, ServingPool
from phalanx_operator.decide.types import Observation
from phalanx_operator.observe import prometheus
from phalanx_operator.observe.scrape import Scraper
from phalanx_operator.observe.signals import Spans
from phalanx_operator.observe.targets import Target
from phalanx_operator.reconcile.access import AccessError, endpoint_of
from phalanx_operator.reconcile.memory import PoolMemory
from phalanx_operator.reconcile.ports import Cluster


async def observe(
    cluster: Cluster,
    session: aiohttp.ClientSession,
    pool: ServingPool,
    targets: Sequence[Target],
    memory: PoolMemory,
    *,
    now: float,
) -> Observation:
    """The latest observation; metrics are read if the latest reading is an interval old. Nothing is raised."""
    source = pool.metrics
    if memory.observed_at is not None and 0 <= now - memory.observed_at < source.interval_s:
        return memory.observation
    memory.observed_at = now
    spans = Spans(load_s=source.window_s)
    if source.prometheus is not None:
        memory.scraper = None
        memory.observation = await _ask(
            cluster, session, pool.meta.key.namespace, source.prometheus, targets, memory.observation, spans=spans
        )
    else:
        if memory.scraper is None or memory.scraper.spans != spans:
            memory.scraper = Scraper(spans)
        memory.observation = await memory.scraper.observe(session, targets, now=now)
    return memory.observation


async def _ask(
    cluster: Cluster,
    session: aiohttp.ClientSession,
    namespace: str,
    source: Prometheus,
    targets: Sequence[Target],
    before: Observation,
    *,
    spans: Spans,
) -> Observation:
    """Query Prometheus. Credentials that it refused the last time are read afresh, for they may have been replaced."""
    refused = bool(before.problem) and before.fault is Reason.METRICS_UNAUTHORIZED
    try:
        endpoint = await endpoint_of(cluster, namespace, source, fresh=refused)
    except AccessError as error:
        problem = f"Prometheus at {source.url} is not asked: {error}"
        return Observation(at=None, workers=0, problem=problem, fault=Reason.METRICS_UNAUTHORIZED)
    return await prometheus.observe(session, endpoint, targets, spans=spans)
