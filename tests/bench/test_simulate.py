"""The figures of the simulation benchmark."""

from __future__ import annotations

import pytest

from bench.simulate import SEEDS, figures_of
from bench.simulate.table import markdown
from phalanx_operator.simulate.compare import DEFAULT, compare
from phalanx_operator.simulate.setup import setup_of
from phalanx_operator.simulate.trace import Trace


@pytest.fixture(scope="module")
def runs():
    """Two minutes with a burst, twice as dense the second time."""
    burst = Trace(name="burst", texts=(200.0,) * 40 + (900.0,) * 40 + (200.0,) * 40)
    return [compare(burst.scaled(factor), DEFAULT, setup_of()) for factor in (1.0, 2.0)]


def test_a_figure_is_the_median_of_the_seeds_with_their_extremes(runs):
    figures = figures_of("burst", runs)
    hours = [each[0].score.worker_hours for each in runs]
    told = figures["burst:operator:hours"]
    assert (told.low, told.value, told.high) == (min(hours), pytest.approx(sum(hours) / 2), max(hours))
    assert figures["burst:fixed:violating"].value > figures["burst:operator:violating"].value


def test_the_table_has_a_line_for_every_trace_and_policy(runs):
    figures = {
        key.replace("burst", trace): {"value": each.value, "low": each.low, "high": each.high}
        for trace in SEEDS
        for key, each in figures_of("burst", runs).items()
    }
    lines = markdown(figures).splitlines()
    assert len(lines) == 2 + len(SEEDS) * len(DEFAULT)
    assert len({line.count("|") for line in lines}) == 1
