"""The signals that decisions rest on, and how each is made from series. Pure.

Prometheus computes them by a query (`promql`), the operator itself from scrapes (`window`); either way the
outcome is a `Vector` for each signal, and `assemble` makes the `Observation` from those.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phalanx_contract import metrics
from phalanx_contract.metrics import Metric

Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""
Vector = Mapping[Labels, float]
"""Summed values by the labels of the signal. What is missing is unknown; NaN never gets in."""


class Fold(enum.StrEnum):
    """How a series over the window becomes one number."""

    RATE = "rate"
    """Increase per second."""
    INCREASE = "increase"
    """Increase over the whole window."""
    LAST = "last"
    """The latest value."""


class Span(enum.StrEnum):
    """Which window: load has to be recent, ramp statistics need many samples."""

    LOAD = "load"
    RAMPS = "ramps"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One number for each combination of `labels`, summed over the live workers.

    `own` are all labels that the worker itself gives the series: what has the same is the same, however often scraped.
    """

    name: str
    series: str
    labels: tuple[str, ...]
    own: tuple[str, ...]
    fold: Fold
    span: Span = Span.LOAD


def _signal(name: str, metric: Metric, fold: Fold, *labels: str, suffix: str = "", span: Span = Span.LOAD) -> Signal:
    own = metric.labels + (("le",) if suffix == "_bucket" else ())
    return Signal(name=name, series=metric.exposed + suffix, labels=labels, own=own, fold=fold, span=span)


REQUESTS: Final = _signal("requests", metrics.REQUESTS, Fold.RATE, "ensemble")
TOKENS: Final = _signal("tokens", metrics.OFFERED_TOKENS, Fold.RATE, "ensemble")
LATENCY: Final = _signal("latency", metrics.REQUEST_SECONDS, Fold.INCREASE, "ensemble", "le", suffix="_bucket")
QUEUE: Final = _signal("queue", metrics.QUEUE_TOKENS, Fold.LAST, "ensemble")
SHED: Final = _signal("shed", metrics.SHED, Fold.RATE, "ensemble")
CAPACITY: Final = _signal("capacity", metrics.CAPACITY, Fold.LAST, "ensemble", "students")
BUSY: Final = _signal("busy", metrics.BUSY_SECONDS, Fold.RATE)
ANSWERS: Final = _signal("answers", metrics.ANSWERS, Fold.RATE, "ensemble", "students")
RAMPS: Final = _signal(
    "ramps",
    metrics.RAMP_SCORE,
    Fold.INCREASE,
    "ensemble",
    "row",
    "agrees",
    "le",
    suffix="_bucket",
    span=Span.RAMPS,
)
STUDENTS: Final = _signal("students", metrics.STUDENTS, Fold.LAST, "ensemble")
"""Students that the latest batches used; people look at it, decisions do not."""

SIGNALS: Final = (REQUESTS, TOKENS, LATENCY, QUEUE, SHED, CAPACITY, BUSY, ANSWERS, RAMPS)

HEARTBEAT: Final = metrics.BUSY_SECONDS.exposed
"""A series that every live worker exposes from its start: it tells how many are seen, and how fresh."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """Lengths of the windows, in seconds."""

    load_s: float
    ramps_s: float = 600.0

    def of(self, span: Span) -> float:
        """The length of one window."""
        return self.load_s if span is Span.LOAD else self.ramps_s
