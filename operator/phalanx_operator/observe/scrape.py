"""Metrics straight from the workers' own /metrics, for pools without a Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aiohttp

from phalanx_operator.decide.types import Observation
from phalanx_operator.observe.assemble import assemble
from phalanx_operator.observe.exposition import Scrape, parse
from phalanx_operator.observe.http import get_all
from phalanx_operator.observe.signals import SIGNALS, Span, Spans
from phalanx_operator.observe.targets import Target
from phalanx_operator.observe.window import Window, total

logger = logging.getLogger(__name__)

_NAMES = {span: frozenset(signal.series for signal in SIGNALS if signal.span is span) for span in Span}
_ALL_NAMES = _NAMES[Span.LOAD] | _NAMES[Span.RAMPS]


class Scraper:
    """Remembers the scrapes of one pool's workers. Rates need two, so the first observation has none."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self._windows: dict[tuple[str, Span], Window] = {}

    def __repr__(self) -> str:
        return f"<Scraper {len(self._windows) // len(Span)} workers, {self.spans}>"

    async def observe(self, session: aiohttp.ClientSession, targets: Sequence[Target], *, now: float) -> Observation:
        """Scrape every live worker once. `now` is the time (s) that the scrapes are recorded with."""
        live = {target.pod for target in targets}
        self._windows = {key: window for key, window in self._windows.items() if key[0] in live}
        for pod, body in (await get_all(session, targets, "/metrics")).items():
            try:
                self.add(pod, parse(body.decode("utf-8", "replace"), at=now, names=_ALL_NAMES))
            except ValueError as error:
                logger.warning("worker %s: /metrics is not understood: %s", pod, error)
        return self.observation(targets, now=now)

    def add(self, pod: str, scrape: Scrape) -> None:
        """Take one worker's scrape into its windows."""
        for span in Span:
            kept = {name: values for name, values in scrape.series.items() if name in _NAMES[span]}
            window = self._windows.get((pod, span)) or self._empty(span, scrape.at)
            self._windows[pod, span] = window.add(Scrape(at=scrape.at, series=kept))

    def _empty(self, span: Span, at: float) -> Window:
        """A new worker's window. Ramp statistics count from the start of the worker's process, so that an operator
        that was restarted does not lose the samples that thresholds rest on."""
        length_s = self.spans.of(span)
        from_zero = (Scrape(at=at - 1.0, series={}),) if span is Span.RAMPS else ()
        return Window(length_s=length_s, spacing_s=length_s / 20, scrapes=from_zero)

    def observation(self, targets: Sequence[Target], *, now: float) -> Observation:
        """What the windows say at `now`; workers whose latest scrape is older than the window do not count."""
        oldest = now - self.spans.load_s
        fresh = {
            pod: window
            for (pod, span), window in self._windows.items()
            if span is Span.LOAD and len(window.scrapes) > 1 and window.scrapes[-1].at >= oldest
        }
        windows = {
            span: [window for (pod, kind), window in self._windows.items() if kind is span and pod in fresh]
            for span in Span
        }
        vectors = {signal.name: total(windows[signal.span], signal) for signal in SIGNALS}
        newest = max((window.scrapes[-1].at for window in fresh.values()), default=None)
        ready = [target.pod for target in targets if target.ready]
        seen = len(fresh.keys() & set(ready))
        return assemble(vectors, at=newest, seen=seen, ready=len(ready))
