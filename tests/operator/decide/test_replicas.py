"""The number of workers follows the count and is never reset."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.parse import parse_pool
from phalanx_operator.api.types import Replicas
from phalanx_operator.decide.replicas import decide_replicas
from phalanx_operator.decide.types import Action, DecisionReason
from tests.operator import objects

POOL = parse_pool(objects.pool())
numbers = st.integers(0, 50)


@given(numbers, numbers, st.none() | numbers, st.none() | numbers)
def test_the_number_of_workers_lies_within_the_bounds(low, more, count, live):
    pool = replace(POOL, replicas=Replicas(min=low, max=low + more, count=count))
    assert low <= decide_replicas(pool, live=live).state <= low + more


@given(numbers, numbers)
def test_without_a_count_the_live_number_is_kept(live, more):
    pool = replace(POOL, replicas=Replicas(min=0, max=live + more, count=None))
    step = decide_replicas(pool, live=live)
    assert (step.state, step.action, step.reason) == (live, Action.STAY, DecisionReason.REPLICAS_KEPT)


def test_a_count_is_followed():
    pool = replace(POOL, replicas=Replicas(min=1, max=8, count=5))
    step = decide_replicas(pool, live=2)
    assert (step.state, step.action, step.reason) == (5, Action.RAISE, DecisionReason.REPLICAS_COUNT)


def test_a_paused_pool_keeps_its_workers():
    pool = replace(POOL, paused=True, replicas=Replicas(min=1, max=8, count=5))
    assert decide_replicas(pool, live=2).state == 2
