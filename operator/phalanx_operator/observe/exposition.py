"""A worker's /metrics as numbers. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from phalanx_operator.observe.signals import Labels

Series = Mapping[str, Mapping[Labels, float]]
"""For each series name (`phalanx_requests_total`), its values by label set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scrape:
    """What one worker exposed at a time `at` (s)."""

    at: float
    series: Series


def parse(text: str, *, at: float, names: frozenset[str]) -> Scrape:
    """Keep the series called `names`. NaN is kept: it makes the sum unknown, where a gap would read as zero.

    Raises:
        ValueError: not the Prometheus text format.
    """
    series: dict[str, dict[Labels, float]] = defaultdict(dict)
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in names:
                    series[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    # The parser of prometheus_client lets its own slips through as various exceptions.
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"not the Prometheus text format: {error}") from error
    return Scrape(at=at, series=dict(series))
