"""Read a pool's load, from where its spec says, once in an interval."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from phalanx_operator.api.types import MetricsSource
from phalanx_operator.decide.types import Observation
from phalanx_operator.observe import prometheus
from phalanx_operator.observe.scrape import Scraper
from phalanx_operator.observe.signals import Spans
from phalanx_operator.observe.targets import Target
from phalanx_operator.reconcile.memory import PoolMemory


async def observe(
    session: aiohttp.ClientSession, source: MetricsSource, targets: Sequence[Target], memory: PoolMemory, *, now: float
) -> Observation:
    """The latest observation; metrics are read if the latest reading is an interval old."""
    if memory.observed_at is not None and now - memory.observed_at < source.interval_s:
        return memory.observation
    memory.observed_at = now
    spans = Spans(load_s=source.window_s)
    if source.prometheus_url is not None:
        memory.scraper = None
        memory.observation = await prometheus.observe(session, source.prometheus_url, targets, spans=spans)
    else:
        if memory.scraper is None or memory.scraper.spans != spans:
            memory.scraper = Scraper(spans)
        memory.observation = await memory.scraper.observe(session, targets, now=now)
    return memory.observation
