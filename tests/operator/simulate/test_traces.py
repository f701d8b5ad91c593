"""Traces that are shipped, and traces from files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.simulate.errors import SimulationError
from phalanx_operator.simulate.trace import Trace, trace_of
from phalanx_operator.simulate.traces import SHIPPED, shipped

HOURS = {"diurnal": 24, "flash-crowd": 3, "on-off": 2}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_seed_always_draws_the_same_trace_and_another_one_another(name):
    trace = shipped(name, seed=1)
    assert trace == shipped(name, seed=1)
    assert trace.texts != shipped(name, seed=2).texts
    assert (trace.seconds, bool(trace.about)) == (3600 * HOURS[name], True)


def test_the_flash_crowd_is_five_times_the_load_before_it():
    texts = shipped("flash-crowd").texts
    before, crowd = sum(texts[3000:3600]) / 600, sum(texts[3630:3660]) / 30
    assert 4 < crowd / before < 6


def test_bursts_of_the_on_off_trace_end_before_a_worker_could_start():
    high = [texts > 600 for texts in shipped("on-off").texts]
    lengths = [len(run) for run in "".join("x" if each else " " for each in high).split()]
    assert len(lengths) > 20
    assert max(lengths) < 90


slots = st.lists(st.tuples(st.floats(0, 500), st.floats(0, 60), st.integers(0, 1000)), min_size=1).filter(
    lambda rows: any(count for *_, count in rows)
)


@given(slots)
def test_no_text_of_a_file_is_lost(rows):
    assert sum(trace_of("file", rows).texts) == pytest.approx(sum(count for *_, count in rows))


def test_texts_spread_evenly_over_their_stretch():
    assert trace_of("file", [(0.0, 2.5, 5)]).texts == (2.0, 2.0, 1.0)


def test_what_cannot_be_replayed_is_refused_with_a_reason():
    with pytest.raises(SimulationError, match="give a file, or one of diurnal"):
        shipped("weekly")
    with pytest.raises(SimulationError, match="nothing arrives"):
        trace_of("empty", [])
    with pytest.raises(SimulationError, match="at most a week"):
        trace_of("long", [(0.0, 1e7, 1.0)])
    with pytest.raises(SimulationError, match="above 0"):
        Trace(name="one", texts=(1.0,)).scaled(0.0)
