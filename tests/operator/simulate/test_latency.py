"""The promises of the spread of latencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.simulate.latency import Batches, later, quantile, within
from phalanx_operator.simulate.profile import Cost

costs = st.builds(Cost, fixed_s=st.floats(1e-4, 0.01), text_s=st.floats(1e-4, 0.01))
NOISE, LONGEST_S = 0.15, 0.05


def spread(cost: Cost, load: float):
    return Batches.of(cost, load / cost.text_s, longest_s=LONGEST_S, noise=NOISE).spread(NOISE)


@given(costs, st.floats(0, 0.99))
def test_all_texts_are_somewhere_and_none_is_answered_faster_than_alone(cost, load):
    pieces = spread(cost, load)
    assert sum(piece.share for piece in pieces) == pytest.approx(1.0)
    assert min(piece.low_s for piece in pieces) >= (cost.fixed_s + cost.text_s) * (1 - NOISE) - 1e-12


@given(costs, st.floats(0.01, 0.9), st.floats(0.001, 0.09))
def test_more_load_never_shortens_the_tail(cost, load, more):
    before, after = (quantile([(1.0, spread(cost, each))], 0.99) for each in (load, load + more))
    assert before is not None and after is not None
    assert after >= 0.999 * before


@given(costs, st.floats(0, 0.9), st.floats(0.001, 2.0), st.floats(0.5, 0.999))
def test_a_quantile_is_the_time_within_which_that_share_is_answered(cost, load, texts, share):
    pieces = spread(cost, load)
    found = quantile([(texts, pieces)], share)
    assert found is not None
    assert within(pieces, found) >= share - 1e-9
    assert within(pieces, 0.999 * found) <= share + 0.02


@given(costs, st.floats(0, 0.9), st.floats(0, 1), st.floats(0, 1))
def test_a_queue_delays_everyone(cost, load, from_s, to_s):
    pieces = spread(cost, load)
    behind = later(pieces, from_s=from_s, to_s=to_s)
    assert sum(piece.share for piece in behind) == pytest.approx(1.0)
    assert within(behind, 0.1) <= within(pieces, 0.1) + 1e-9


def test_nothing_answered_has_no_quantile():
    assert quantile([], 0.99) is None
