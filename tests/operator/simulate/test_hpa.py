"""The HorizontalPodAutoscaler is the documented one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_operator.api.types import Replicas
from phalanx_operator.decide.types import EnsembleMetrics, Observation
from phalanx_operator.simulate.policies import HorizontalPodAutoscaler, Seen
from phalanx_operator.simulate.policies.hpa import STABILISATION_S, SYNC_S, recommend


@pytest.mark.parametrize(
    ("ratio", "live", "ready", "wanted"),
    [
        (2.0, 4, 4, 8),
        (1.3, 4, 4, 6),
        (0.5, 4, 4, 2),
        (1.09, 10, 10, 10),
        (0.91, 10, 10, 10),
        (1.5, 6, 4, 6),
        (2.0, 6, 4, 8),
        (0.5, 6, 4, 2),
    ],
    ids=["twice", "rounds up", "half", "tolerated above", "tolerated below", "those that start turn it round",
         "those that start count as idle", "those that start do not count for less"],
)  # fmt: skip
def test_the_recommendation_is_the_documented_one(ratio, live, ready, wanted):
    assert recommend(ratio, live=live, ready=ready) == wanted


def autoscaler(**bounds: int) -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler(
        name="hpa:4", students=4, bounds=Replicas(**({"min": 1, "max": 100} | bounds)), ensemble="model"
    )


def seen(used: float | None, live: int) -> Seen:
    metrics = EnsembleMetrics(tokens_per_s=used, capacity_tokens_per_s={4: 1.0})
    observation = Observation(at=0.0, workers=live, ensembles={"model": metrics})
    return Seen(observe=lambda: observation, live=live, ready=live)


def test_fewer_come_only_once_the_load_was_low_for_five_minutes():
    hpa, live = autoscaler(), 8
    assert hpa.decide(seen(0.7, live), now=0.0).replicas == 8
    looks = [hpa.decide(seen(0.35, live), now=at).replicas for at in (SYNC_S, STABILISATION_S - 1, STABILISATION_S + 1)]
    assert looks == [8, 8, 4]


def test_one_look_adds_four_or_doubles():
    assert autoscaler().decide(seen(1.0, 2), now=0.0).replicas == 3
    steep = HorizontalPodAutoscaler(
        name="hpa:4", students=4, bounds=Replicas(min=1, max=100), ensemble="model", target=0.1
    )
    assert steep.decide(seen(1.0, 2), now=0.0).replicas == 6
    assert steep.decide(seen(1.0, 10), now=0.0).replicas == 20


def test_missing_metrics_keep_what_there_is():
    assert autoscaler().decide(seen(None, 5), now=0.0).replicas == 5


@given(st.floats(0, 2), st.integers(1, 50), st.integers(1, 10), st.integers(0, 20))
def test_the_bounds_always_hold(used, live, low, more):
    replicas = autoscaler(min=low, max=low + more).decide(seen(used, live), now=0.0).replicas
    assert low <= replicas <= low + more
