"""Students that the workers' own guard drops, and the operator's ceiling does not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phalanx_operator.simulate.policies.operator import OperatorPolicy
from phalanx_operator.simulate.profile import CPU, Cost
from phalanx_operator.simulate.replay import Run, replay
from phalanx_operator.simulate.setup import setup_of
from tests.operator.simulate.scenes import trace

SLOWER = 10
"""Times: a dozen texts a second say little of how many come at most, so the guard is slow to give students back."""
SLOW = replace(CPU, costs=tuple(Cost(fixed_s=c.fixed_s * SLOWER, text_s=c.text_s * SLOWER) for c in CPU.costs))


def after_a_burst(share: float) -> Run:
    """Ten minutes of a load that takes `share` of two workers, behind a burst of 15 seconds."""
    artifact = {"uri": "file:///a", "digest": f"sha256:{0:064}"}
    specs = {
        "ServingPool": {"replicas": {"min": 2, "max": 6}, "objective": {"p99": "1s"}},
        "StudentEnsemble": {"pool": "example", "artifact": artifact},
    }
    api = "phalanx.dev/v1alpha1"
    setup = setup_of(
        [
            {"apiVersion": api, "kind": kind, "metadata": {"name": "example"}, "spec": spec}
            for kind, spec in specs.items()
        ],
        profile=SLOW,
    )
    whole = 2 * SLOW.capacity_tokens_per_s(SLOW.students) / SLOW.tokens
    texts = trace([0.2 * whole] * 60 + [1.5 * whole] * 15 + [share * whole] * 585)
    return replay(texts, OperatorPolicy(pool=setup.pool, ensemble=setup.ensemble, profile=SLOW), setup.scene)


def test_above_the_aim_they_bring_a_worker_and_come_back():
    run = after_a_burst(0.68)
    told = {event.told.reason: event.told.message for event in run.events if event.told.about == "workers"}
    assert (run.wanted[0], run.wanted[-1]) == (2, 3)
    assert "the workers keep" in told["CapacityShort"]
    assert run.slices[-1].students == pytest.approx(SLOW.students)


def test_below_the_aim_they_bring_none():
    run = after_a_burst(0.6)
    assert set(run.wanted) == {2}
    assert run.slices[-1].students < SLOW.students
