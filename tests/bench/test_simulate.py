"""The figures of the simulation benchmark, and what is claimed of the committed ones."""

from __future__ import annotations

import json

import pytest

from bench.record import RESULTS
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


def test_the_committed_result_keeps_what_was_promised_of_a_flash_crowd():
    """Three times fewer violations than fixed k with the same replicas; half the replica-hours at equal violations."""
    figures = json.loads((RESULTS / "simulate.json").read_text())["figures"]
    key = "flash-crowd:{}:{}".format
    assert figures[key("fixed", "missed")]["low"] >= 3 * figures[key("operator", "missed")]["high"]
    assert figures[key("fixed", "violations")]["low"] >= 3 * figures[key("operator", "violations")]["high"]
    assert figures[key("operator", "hours")]["high"] <= 0.5 * figures[key("fewest", "hours")]["low"]
