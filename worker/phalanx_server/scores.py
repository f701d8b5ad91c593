"""The histogram of ramp scores, counted a batch at a time.

Every ramp is measured for every text, so this is by far the most counted metric: the client library takes some
microseconds for each value, a whole batch takes about as long here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from phalanx_contract.metrics import RAMP_SCORE

_BOUNDS: Final = np.array(RAMP_SCORE.buckets)
_NAMES: Final = (*(repr(float(bound)) for bound in RAMP_SCORE.buckets), "+Inf")


@dataclass(slots=True)
class _Series:
    """Texts by bucket (not cumulative), and the sum of their scores."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_NAMES), dtype=np.int64))
    total: float = 0.0


class RampScores(Collector):
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str, str], _Series] = {}

    def count(self, ensemble: str, row: int, *, scores: npt.NDArray[np.float32], agrees: npt.NDArray[np.bool_]) -> None:
        """Add the texts of one batch, both arrays [M]."""
        places = np.searchsorted(_BOUNDS, scores)
        with self._lock:
            for same in (True, False):
                chosen = agrees == same
                if chosen.any():
                    series = self._series.setdefault((ensemble, str(row), str(same).lower()), _Series())
                    series.counts += np.bincount(places[chosen], minlength=len(_NAMES))
                    series.total += float(scores[chosen].sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For the registry."""
        family = HistogramMetricFamily(RAMP_SCORE.name, RAMP_SCORE.help, labels=RAMP_SCORE.labels)
        with self._lock:
            for labels, series in self._series.items():
                cumulative = np.cumsum(series.counts).tolist()
                family.add_metric(labels, list(zip(_NAMES, cumulative, strict=True)), series.total)
        yield family
