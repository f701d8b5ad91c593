"""Metrics straight from the workers' own /metrics, for pools without a Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import aiohttp

from phalanx_operator.decide.types import Observation
from phalanx_operator.observe.assemble import assemble
from phalanx_operator.observe.exposition import Scrape, parse
from phalanx_operator.observe.http import get_all
from phalanx_operator.observe.signals import SIGNALS, Signal, Span, Spans, Vector
from phalanx_operator.observe.targets import Target
from phalanx_operator.observe.window import Window, total

logger = logging.getLogger(__name__)

HINT: Final = "; two readings of each are needed: the operator has to reach the port of the pods"


class Scraper:
    """Remembers the scrapes of one pool's workers. Rates need two, so the first observation has none."""

    def __init__(self, spans: Spans, signals: Sequence[Signal] = SIGNALS) -> None:
        self.spans = spans
        self._signals = signals
        self._names = {span: frozenset(signal.series for signal in signals if signal.span is span) for span in Span}
        self._windows: dict[tuple[str, Span], Window] = {}

    def __repr__(self) -> str:
        return f"<Scraper {len(self._windows) // len(Span)} workers, {self.spans}>"

    async def observe(self, session: aiohttp.ClientSession, targets: Sequence[Target], *, now: float) -> Observation:
        """Scrape every live worker once. `now` is the time (s) that the scrapes are recorded with."""
        await self.scrape(session, targets, now=now)
        return self.observation(targets, now=now)

    async def scrape(self, session: aiohttp.ClientSession, targets: Sequence[Target], *, now: float) -> None:
        """Take in what the workers expose now, and forget those that are gone."""
        live = {target.pod for target in targets}
        self._windows = {key: window for key, window in self._windows.items() if key[0] in live}
        names = frozenset[str]().union(*self._names.values())
        for pod, body in (await get_all(session, targets, "/metrics")).items():
            try:
                self.add(pod, parse(body.decode("utf-8", "replace"), at=now, names=names))
            except ValueError as error:
                logger.warning("worker %s: /metrics is not understood: %s", pod, error)

    def add(self, pod: str, scrape: Scrape) -> None:
        """Take one worker's scrape into its windows."""
        for span in Span:
            kept = {name: values for name, values in scrape.series.items() if name in self._names[span]}
            window = self._windows.get((pod, span)) or self._empty(span, scrape.at)
            self._windows[pod, span] = window.add(Scrape(at=scrape.at, series=kept))

    def _empty(self, span: Span, at: float) -> Window:
        """A new worker's window. Ramp statistics count from the start of the worker's process, so that an operator
        that was restarted does not lose the samples that thresholds rest on."""
        length_s = self.spans.of(span)
        from_zero = (Scrape(at=at - 1.0, series={}),) if span is Span.RAMPS else ()
        return Window(length_s=length_s, spacing_s=length_s / 20, scrapes=from_zero)

    def observation(self, targets: Sequence[Target], *, now: float) -> Observation:
        """What the windows of the ready workers say at `now`."""
        ready = [target.pod for target in targets if target.ready]
        seen = self.fresh(now=now).intersection(ready)
        newest = max((self._windows[pod, Span.LOAD].scrapes[-1].at for pod in seen), default=None)
        return assemble(self._totals(seen), at=newest, seen=len(seen), ready=len(ready), hint=HINT)

    def vectors(self, *, now: float) -> dict[str, Vector]:
        """Every signal, summed over the workers whose metrics are fresh."""
        return self._totals(self.fresh(now=now))

    def _totals(self, pods: frozenset[str]) -> dict[str, Vector]:
        windows = {
            span: [window for (pod, kind), window in self._windows.items() if kind is span and pod in pods]
            for span in Span
        }
        return {signal.name: total(windows[signal.span], signal) for signal in self._signals}

    def fresh(self, *, now: float) -> frozenset[str]:
        """Workers with two scrapes, the latest no older than the window: rates need both."""
        oldest = now - self.spans.load_s
        return frozenset(
            pod
            for (pod, span), window in self._windows.items()
            if span is Span.LOAD and len(window.scrapes) > 1 and window.scrapes[-1].at >= oldest
        )
