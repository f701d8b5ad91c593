"""From signals to what decisions read."""

from __future__ import annotations

import pytest

from phalanx_operator.decide.trust import doubt_ramps
from phalanx_operator.observe import signals
from phalanx_operator.observe.assemble import assemble


def key(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


VECTORS = {
    "requests": {key(ensemble="a"): 3.0},
    "tokens": {key(ensemble="a"): 60.0, key(ensemble="b"): 0.0},
    "latency": {
        key(ensemble="a", le="0.01"): 0.0,
        key(ensemble="a", le="0.03"): 9.0,
        key(ensemble="a", le="+Inf"): 9.0,
    },
    "capacity": {key(ensemble="a", students="2"): 500.0},
    "answers": {key(ensemble="a", students="1"): 3.0, key(ensemble="a", students="2"): 1.0},
    "busy": {(): 1.0},
    "ramps": {
        key(ensemble="a", row="0", agrees="true", le="0.1"): 4.0,
        key(ensemble="a", row="0", agrees="true", le="+Inf"): 9.0,
        key(ensemble="a", row="0", agrees="false", le="0.1"): 1.0,
        key(ensemble="a", row="final", agrees="true", le="0.1"): 4.0,
    },
}


def test_every_signal_lands_in_its_place():
    seen = assemble(VECTORS, at=5.0, seen=2, ready=2)
    a = seen.ensembles["a"]
    assert (seen.at, seen.workers, seen.busy_share, seen.problem) == (5.0, 2, 0.5, "")
    assert (a.requests_per_s, a.tokens_per_s, a.capacity_tokens_per_s) == (3.0, 60.0, {2: 500.0})
    assert a.students == 1.25
    assert a.p99_s == pytest.approx(0.0298)
    (ramp,) = a.ramps
    assert (ramp.row, ramp.bounds, ramp.agrees, ramp.differs) == (0, (0.1,), (4.0,), (1.0,))


def test_what_is_missing_is_unknown_and_not_zero():
    b = assemble(VECTORS, at=5.0, seen=2, ready=2).ensembles["b"]
    assert (b.requests_per_s, b.p99_s, b.queue_tokens, b.shed_per_s, b.students) == (None,) * 5
    assert b.tokens_per_s == 0.0


@pytest.mark.parametrize(("seen", "ready", "ok"), [(2, 2, True), (4, 5, True), (1, 2, False), (0, 3, False)])
def test_metrics_of_too_few_workers_are_a_problem(seen, ready, ok):
    observation = assemble(VECTORS, at=5.0, seen=seen, ready=ready)
    assert (observation.problem == "") is ok
    assert bool(observation.ensembles) is ok


def test_no_ready_worker_is_a_problem():
    assert "no worker is ready" in assemble({}, at=None, seen=0, ready=0).problem


@pytest.mark.parametrize(("second", "trusted"), [(300.0 - 1e-10, True), (299.0, False)])
def test_ramps_that_fall_in_the_last_digit_are_cumulative_and_others_are_not(second, trusted):
    """Prometheus sums workers in any order, so equal sums can differ in their last digits."""
    labels = {"ensemble": "a", "row": "0", "agrees": "true"}
    vectors = {"ramps": {key(**labels, le="0.1"): 300.0, key(**labels, le="0.2"): second}}
    ramps = assemble(vectors, at=5.0, seen=1, ready=1).ensembles["a"].ramps
    assert (doubt_ramps(ramps) is None) is trusted


def test_every_signal_is_made_of_a_series_that_the_contract_knows():
    from phalanx_contract import metrics

    exposed = {metric.exposed for metric in metrics.ALL} | {f"{metric.name}_bucket" for metric in metrics.ALL}
    assert {signal.series for signal in signals.SIGNALS} | {signals.HEARTBEAT} <= exposed
