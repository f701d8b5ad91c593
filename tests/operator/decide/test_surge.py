"""A further pod while pods are replaced, where a node takes it; without one where none does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx_contract.conditions import Reason
from phalanx_operator.api.parse import parse_pool
from phalanx_operator.api.types import Rollout, Surge
from phalanx_operator.decide.surge import WAIT_S, SurgeState, decide_surge, in_force
from phalanx_operator.decide.types import SETTLED, Action, Decision, DecisionReason, Deployed, WorkerView
from tests.operator import objects

TRIES = Rollout(surge=Surge.WHEN_IT_FITS)
ROLLING = {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1}}
DONE = {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}}
OLD = WorkerView(name="gpus-a", ready=True)
FURTHER = WorkerView(name="gpus-b", ready=False)
STUCK = WorkerView(
    name="gpus-b", ready=False, problem=Reason.WORKERS_UNSCHEDULABLE, message="Insufficient nvidia.com/gpu"
)
QUOTA = Deployed(refused='pods "gpus-b" is forbidden: exceeded quota: gpus, requested: 1, used: 1, limited: 1')
POLICY = Deployed(refused='admission webhook "images" denied the request: image is not signed')
NO_PROGRESS = Deployed(stuck='ReplicaSet "gpus-7" has timed out progressing.')
UNMOUNTED = WorkerView(name="gpus-b", ready=False, started=False)
BROKEN = WorkerView(name="gpus-b", ready=False, started=False, problem=Reason.IMAGE_NOT_PULLED, message="no such image")


def decide(
    *workers: WorkerView,
    deployment: dict[str, Any] | None = ROLLING,
    deployed: Deployed = SETTLED,
    rollout: Rollout = TRIES,
    state: SurgeState | None = None,
    now: float = 0.0,
) -> Decision[SurgeState]:
    return decide_surge(
        rollout,
        deployment=deployment,
        workers=workers,
        deployed=deployed,
        wanted=1,
        state=state or SurgeState(),
        now=now,
    )


def test_a_further_pod_that_no_node_takes_is_given_a_minute_and_then_done_without():
    first = decide(OLD, STUCK)
    assert (first.action, first.reason) == (Action.STAY, DecisionReason.SURGE_WAITS)
    assert "gpus-b" in first.message and "Insufficient nvidia.com/gpu" in first.message
    assert in_force(TRIES, first.state) == Rollout(max_surge=1, max_unavailable=0, surge=Surge.WHEN_IT_FITS)
    late = decide(OLD, STUCK, state=first.state, now=WAIT_S)
    assert (late.action, late.reason) == (Action.LOWER, DecisionReason.SURGE_DOES_NOT_FIT)
    assert "maxSurge 0 and maxUnavailable 1" in late.message
    assert in_force(TRIES, late.state) == TRIES
    loading = decide(FURTHER, state=late.state, now=WAIT_S + 5)
    assert loading.state == late.state, "for the rest of this rolling update"
    assert decide(FURTHER, deployment=DONE, state=late.state).state == SurgeState(), "the next begins anew"


@pytest.mark.parametrize(
    ("workers", "deployed", "says"),
    [
        ((OLD,), QUOTA, "exceeded quota: gpus, requested: 1, used: 1, limited: 1"),
        ((), QUOTA, "exceeded quota"),
        ((OLD, UNMOUNTED), NO_PROGRESS, "gpus-b, the further pod, does not start"),
    ],
)
def test_a_further_pod_that_has_no_room_otherwise_is_done_without_after_a_minute_too(workers, deployed, says):
    first = decide(*workers, deployed=deployed)
    assert (first.action, first.reason) == (Action.STAY, DecisionReason.SURGE_WAITS)
    assert says in first.message
    early = decide(*workers, deployed=deployed, state=first.state, now=WAIT_S - 1)
    assert early.reason is DecisionReason.SURGE_WAITS
    late = decide(*workers, deployed=deployed, state=early.state, now=WAIT_S)
    assert (late.action, late.reason) == (Action.LOWER, DecisionReason.SURGE_DOES_NOT_FIT)
    assert says in late.message and "maxSurge 0 and maxUnavailable 1" in late.message
    assert in_force(TRIES, late.state) == TRIES


def test_a_minute_without_room_is_one_minute_whatever_the_cause():
    waits = decide(OLD, deployed=QUOTA)
    assert decide(OLD, STUCK, state=waits.state, now=WAIT_S).reason is DecisionReason.SURGE_DOES_NOT_FIT


@pytest.mark.parametrize(
    ("workers", "deployed", "reason"),
    [
        ((OLD, BROKEN), NO_PROGRESS, DecisionReason.SURGE_FITS),
        ((OLD, FURTHER), NO_PROGRESS, DecisionReason.SURGE_FITS),
        ((OLD, UNMOUNTED), SETTLED, DecisionReason.SURGE_FITS),
        ((OLD, FURTHER), QUOTA, DecisionReason.SURGE_FITS),
        ((OLD,), POLICY, DecisionReason.SURGE_WAITS),
    ],
    ids=["no image", "a slow model", "a slow image", "one came, a second did not", "a policy"],
)
def test_no_worker_is_taken_away_for_a_pod_that_would_not_come_then_either_nor_for_a_slow_one(
    workers, deployed, reason
):
    state = SurgeState()
    for now in (0.0, WAIT_S, 100 * WAIT_S):
        step = decide(*workers, deployed=deployed, state=state, now=now)
        assert (step.action, step.reason) == (Action.STAY, reason)
        assert in_force(TRIES, step.state).max_unavailable == 0
        state = step.state
    assert deployed is not POLICY or "image is not signed" in step.message


@pytest.mark.parametrize(
    ("workers", "deployment", "reason"),
    [
        ((OLD, FURTHER), ROLLING, DecisionReason.SURGE_FITS),
        ((STUCK,), ROLLING, DecisionReason.SURGE_FITS),
        ((OLD,), DONE, DecisionReason.SURGE_IDLE),
        ((OLD, STUCK), DONE, DecisionReason.SURGE_IDLE),
        ((OLD,), None, DecisionReason.SURGE_IDLE),
    ],
)
def test_only_a_further_pod_of_a_rolling_update_counts_as_stuck(workers, deployment, reason):
    step = decide(*workers, deployment=deployment)
    assert (step.reason, step.state) == (reason, SurgeState())


def test_a_pod_that_found_a_node_meanwhile_starts_the_minute_anew():
    waits = decide(OLD, STUCK, now=0.0)
    placed = decide(OLD, FURTHER, state=waits.state, now=50.0)
    again = decide(OLD, STUCK, state=placed.state, now=70.0)
    assert again.reason is DecisionReason.SURGE_WAITS


@given(st.lists(st.tuples(st.sampled_from([ROLLING, DONE]), st.sampled_from([FURTHER, STUCK]), st.floats(0, 100))))
def test_it_falls_back_only_after_a_whole_minute_and_once_in_a_rolling_update(story):
    state, now, stuck_since = SurgeState(), 0.0, None
    for deployment, further, passed in story:
        now += passed
        step = decide(OLD, further, deployment=deployment, state=state, now=now)
        stuck = deployment is ROLLING and further is STUCK
        stuck_since = (now if stuck_since is None else stuck_since) if stuck else None
        if step.action is Action.LOWER:
            assert not state.without
            assert stuck_since is not None and now - stuck_since >= WAIT_S
        assert step.action in (Action.LOWER, Action.STAY)
        rollout = in_force(TRIES, step.state)
        assert rollout.max_surge + rollout.max_unavailable > 0
        state = step.state


def test_by_default_the_numbers_of_the_spec_are_in_force():
    pool = parse_pool(objects.pool())
    assert pool.rollout == Rollout(max_surge=0, max_unavailable=1, surge=Surge.NEVER)
    assert decide(OLD, STUCK, rollout=pool.rollout).reason is DecisionReason.SURGE_IDLE
    assert in_force(pool.rollout, SurgeState()) == pool.rollout
    assert parse_pool(objects.pool(rollout={"surge": "WhenItFits"})).rollout.surge is Surge.WHEN_IT_FITS
