"""The promises of the decision on a new artifact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx_contract.plan import Artifact
from phalanx_contract.worker import TRANSIENT, LoadReason, LoadState
from phalanx_operator.decide.candidate import Sight
from phalanx_operator.decide.restore import restore_rollout
from phalanx_operator.decide.rolledout import rollout_status
from phalanx_operator.decide.types import (
    Action,
    DecisionReason,
    RolloutState,
    Stage,
)
from tests.operator.decide.rollouts import (
    CANARY,
    COLD,
    CORRUPT,
    MISMATCH,
    NEW,
    NEWER,
    OLD,
    ON_TRIAL,
    PLAIN,
    SERVES,
    TRIED,
    WARM,
    WARMING,
    counted,
    decide,
    failed,
    seen,
    sights,
    stories,
    unfit,
)


@settings(max_examples=300)
@given(stories())
def test_what_serves_changes_only_to_what_all_workers_that_are_ready_hold_and_never_to_a_failing_one(story):
    state = SERVES
    for policy, sight, now in story:
        step = decide(policy, sight, state, now=now)
        after = step.state
        assert after.serving is not None
        if after.serving != state.serving:
            assert step.action is Action.PROMOTE
            assert after.serving == policy.wanted == state.candidate
            assert sight.held and not sight.silent
            assert not sight.unfit, "no tenant loses its answers"
            assert all(each.state is LoadState.SERVING for each in sight.held)
        assert after.candidate != after.serving
        assert (after.candidate is None) == (after.stage in (Stage.SERVING, Stage.ROLLED_BACK))
        assert step.message
        state = after


@given(stories())
def test_what_was_rolled_back_is_not_tried_again_until_the_spec_changes(story):
    state, rolled_back = SERVES, set()
    for policy, sight, now in story:
        step = decide(policy, sight, state, now=now)
        tries = (policy.wanted, policy.generation)
        if step.action is Action.ROLL_BACK and step.state.rejected is not None:
            rolled_back.add(tries)
        elif tries in rolled_back:
            assert step.state.candidate is None
        state = step.state


@given(st.lists(sights().filter(lambda sight: sight.timed), min_size=1, max_size=5), st.booleans())
def test_it_comes_to_an_end_whatever_the_workers_say(said, with_canary):
    policy, state, now = (TRIED if with_canary else PLAIN), SERVES, 0.0
    for count in range(40):
        state = decide(policy, said[count % len(said)], state, now=now).state
        now += 20.0
    assert state.stage in (Stage.SERVING, Stage.ROLLED_BACK)
    assert state.candidate is None


@given(st.integers(100, 400), st.floats(0.1, 3), st.data())
def test_more_agreement_never_makes_it_worse(texts, ratio, data):
    few = data.draw(st.integers(0, texts))
    more = data.draw(st.integers(few, texts))
    low, high = (
        decide(TRIED, seen(WARM, compared=counted(texts, agreeing, ratio=ratio)), ON_TRIAL, now=61.0).action
        for agreeing in (few, more)
    )
    assert not (low is Action.PROMOTE and high is Action.ROLL_BACK)


@given(stories(), st.integers(0, 12))
def test_an_operator_that_restarts_goes_on_from_the_status(story, restart_after):
    state = again = SERVES
    for count, (policy, sight, now) in enumerate(story):
        # Statuses know whole seconds.
        at = float(int(now))
        state = decide(policy, sight, state, now=at).state
        again = decide(policy, sight, again, now=at).state
        if count == restart_after:
            again = restored(again)
        assert again == state


def restored(state: RolloutState) -> RolloutState:
    """What an operator that restarts makes of it."""
    since = f"1970-01-01T00:{int(state.since) // 60:02}:{int(state.since) % 60:02}Z"
    return restore_rollout({"rollout": rollout_status(state, Sight(), CANARY, since=since)}, planned=None)


Do, Why, BACK = Action, DecisionReason, Action.ROLL_BACK


def tried(texts: int, agreeing: int, *, ratio: float = 1.0) -> Sight:
    return seen(WARM, compared=counted(texts, agreeing, ratio=ratio))


@pytest.mark.parametrize(
    ("policy", "sight", "state", "now", "action", "reason", "says"),
    [
        (PLAIN, seen(COLD), SERVES, 1, Do.START, Why.NEW_ARTIFACT, "bbbbbbbbbbbb is loaded beside"),
        (PLAIN, seen(WARM, COLD), WARMING, 1, Do.STAY, Why.CANDIDATE_WARMING, "1 of 2 workers hold it warm"),
        (PLAIN, seen(WARM, CORRUPT), WARMING, 99, Do.STAY, Why.CANDIDATE_WARMING, "was altered; upload"),
        (PLAIN, seen(WARM, CORRUPT), WARMING, 101, BACK, Why.CANDIDATE_STUCK, "not warm after 100 s"),
        (PLAIN, seen(WARM, MISMATCH), WARMING, 1, BACK, Why.CANDIDATE_FAILED, "goes on serving"),
        (PLAIN, seen(WARM, WARM), WARMING, 1, Do.PROMOTE, Why.CANDIDATE_WARM, "2 of 2 workers hold it"),
        (PLAIN, seen(WARM, silent=1), WARMING, 1, Do.HOLD, Why.REPORTS_MISSING, "1 ready"),
        (PLAIN, seen(), WARMING, 1, Do.HOLD, Why.REPORTS_MISSING, "no worker reports"),
        (PLAIN, seen(silent=1), WARMING, 101, Do.HOLD, Why.REPORTS_MISSING, "1 ready"),
        (PLAIN, unfit(1), WARMING, 1000, Do.HOLD, Why.TENANTS_UNFIT, "acme would be answered no more"),
        (TRIED, unfit(3), ON_TRIAL, 1000, Do.HOLD, Why.TENANTS_UNFIT, "acme and 2 more would be"),
        (TRIED, seen(WARM), WARMING, 1, Do.START, Why.CANDIDATE_WARM, "answers 10% of the requests"),
        (TRIED, tried(99, 99), ON_TRIAL, 61, Do.STAY, Why.CANARY_RUNNING, "99 texts"),
        (TRIED, tried(200, 200), ON_TRIAL, 59, Do.STAY, Why.CANARY_RUNNING, "60 s"),
        (TRIED, tried(200, 195), ON_TRIAL, 60, Do.PROMOTE, Why.CANARY_AGREES, "97.5%"),
        (TRIED, tried(200, 179), ON_TRIAL, 60, BACK, Why.CANARY_DISAGREES, "89.5%"),
        (TRIED, tried(20, 5), ON_TRIAL, 2, BACK, Why.CANARY_DISAGREES, "25.0%"),
        (TRIED, tried(20, 17), ON_TRIAL, 2, Do.STAY, Why.CANARY_RUNNING, "20 texts"),
        (TRIED, tried(200, 200, ratio=1.6), ON_TRIAL, 60, BACK, Why.CANARY_SLOW, "1.60 times"),
        (TRIED, tried(99, 99), ON_TRIAL, 161, BACK, Why.CANARY_INCONCLUSIVE, "160 s"),
        (TRIED, seen(WARM, silent=1), ON_TRIAL, 61, Do.HOLD, Why.REPORTS_MISSING, "1 ready"),
        (PLAIN, seen(WARM), ON_TRIAL, 1, Do.PROMOTE, Why.CANDIDATE_WARM, "1 of 1 workers"),
        (replace(PLAIN, paused=True), seen(WARM), WARMING, 1, Do.HOLD, Why.PAUSED, "paused"),
        (replace(PLAIN, wanted=NEWER), seen(COLD), WARMING, 1, Do.START, Why.SPEC_CHANGED, "is let go"),
        (replace(PLAIN, wanted=OLD), seen(WARM), WARMING, 1, BACK, Why.SPEC_CHANGED, "again"),
        (replace(PLAIN, wanted=OLD), seen(WARM), SERVES, 1, Do.STAY, Why.ARTIFACT_CURRENT, "which serves"),
    ],
)  # fmt: skip
def test_each_step_says_why_with_its_numbers(policy, sight, state, now, action, reason, says):
    step = decide(policy, sight, state, now=float(now))
    assert (step.action, step.reason) == (action, reason)
    assert says in step.message


def test_a_first_artifact_serves_at_once_and_so_does_the_next_where_the_one_before_never_served():
    first = decide(PLAIN, Sight(), RolloutState())
    assert (first.state.serving, first.reason) == (NEW, DecisionReason.FIRST_ARTIFACT)
    mended = decide(replace(PLAIN, wanted=NEWER), Sight(held=(MISMATCH,)), first.state)
    assert mended.state.serving == NEWER
    served = decide(replace(PLAIN, wanted=NEWER), seen(WARM), first.state)
    assert (served.state.serving, served.state.candidate) == (NEW, NEWER), "now there is something to protect"


def test_a_pool_without_workers_waits_for_some_and_counts_the_time_from_then():
    state = decide(PLAIN, seen(), SERVES, now=0.0).state
    for now in (50.0, 500.0, 5000.0):
        step = decide(PLAIN, seen(), state, now=now)
        assert (step.action, step.reason) == (Action.HOLD, DecisionReason.REPORTS_MISSING)
        assert (step.state.candidate, step.state.since) == (NEW, 0.0), "and nothing is written again and again"
        state = step.state
    back = decide(PLAIN, seen(COLD), state, now=6000.0)
    assert (back.reason, back.state.since) == (DecisionReason.CANDIDATE_WARMING, 6000.0)
    assert decide(PLAIN, seen(COLD), back.state, now=6101.0).reason is DecisionReason.CANDIDATE_STUCK


def test_another_try_of_the_same_artifact_follows_a_change_of_the_spec():
    back = decide(PLAIN, seen(MISMATCH), WARMING)
    assert back.state.serving == OLD
    again = decide(PLAIN, seen(WARM), back.state)
    assert (again.action, again.reason, again.message) == (Action.STAY, back.reason, back.message)
    tried = decide(replace(PLAIN, generation=3), seen(COLD), back.state)
    assert (tried.state.candidate, tried.state.rejected) == (NEW, None)


@pytest.mark.parametrize("policy", [PLAIN, TRIED])
def test_what_serves_may_lie_elsewhere_from_now_on_without_a_trial(policy):
    moved = Artifact(uri="s3://models/a", digest=OLD.digest)
    step = decide(replace(policy, wanted=moved), seen(WARM), SERVES)
    assert (step.action, step.reason) == (Action.STAY, DecisionReason.ARTIFACT_CURRENT)
    assert step.state == replace(SERVES, serving=moved)
    refused = decide(replace(policy, wanted=moved, refusal="not below what the pool allows"), seen(WARM), SERVES)
    assert (refused.reason, refused.state.serving) == (DecisionReason.CANDIDATE_REFUSED, OLD)
    changed = decide(replace(policy, wanted=moved), seen(WARM), WARMING)
    assert (changed.reason, changed.state.candidate) == (DecisionReason.SPEC_CHANGED, None)


def test_a_canary_whose_predecessor_no_worker_can_load_any_more_is_not_rolled_back_to_that():
    lost = replace(seen(WARM, WARM), students=0)
    assert decide(TRIED, lost, ON_TRIAL, now=59.0).reason is DecisionReason.CANARY_RUNNING, "it may only be a moment"
    step = decide(TRIED, lost, ON_TRIAL, now=60.0)
    assert (step.action, step.state.serving) == (Action.PROMOTE, NEW)
    assert "2 of 2 workers hold it warm, and none holds the other" in step.message


def test_only_what_time_may_mend_waits_for_the_deadline():
    for reason in LoadReason:
        if reason:
            step = decide(PLAIN, seen(failed(reason)), WARMING)
            assert (step.action is Action.STAY) == (reason in TRANSIENT)


def test_a_candidate_that_its_workers_die_of_is_given_up_however_often_they_come_back():
    """They load what serves, report, load the candidate, and run out of memory; none of that starts the clock anew.
    Until the kubelet notices, one that has just died is ready and silent: that stops the clock, and no more."""
    dying, noticed, back = seen(COLD, silent=1), Sight(exists=True), seen(COLD, COLD)
    state, now = decide(PLAIN, back, SERVES, now=0.0).state, 0.0
    for count in range(1, 21):
        for sight, lasts_s in ((dying, 1.2), (noticed, 3.0), (back, 2.0)):
            step = decide(PLAIN, sight, state, now=now + 1.0)
            assert step.reason is not DecisionReason.CANDIDATE_STUCK, count
            state, now = step.state, now + lasts_s
    given_up = decide(PLAIN, back, state, now=now + 1.0)
    assert (given_up.reason, given_up.state.serving) == (DecisionReason.CANDIDATE_STUCK, OLD)


WAITS = (seen(), seen(WARM, silent=1), unfit(1), replace(seen(), outdated="gpus-a", exists=True))
READINGS = st.lists(st.tuples(st.sampled_from([None, *WAITS]), st.integers(1, 60)), min_size=1, max_size=40)
"""What keeps a rollout waiting, None for nothing, and for how many seconds."""


@given(READINGS, st.integers(0, 40))
def test_only_the_time_in_which_nothing_is_waited_for_counts_and_all_of_that_does(readings, restart_after):
    now, counted_s, state = 0, 0, WARMING
    for count, (wait, lasts_s) in enumerate([*readings, (None, 0)]):
        step = decide(PLAIN, wait or seen(WARM, COLD), state, now=float(now))
        over = wait is None and counted_s > PLAIN.deadline_s
        assert (step.reason is DecisionReason.CANDIDATE_STUCK) == over
        if over:
            return
        state = restored(step.state) if count == restart_after else step.state
        now, counted_s = now + lasts_s, counted_s + (lasts_s if wait is None else 0)


@given(READINGS)
def test_a_canary_is_judged_once_its_seconds_have_counted_whatever_it_had_to_wait_for(readings):
    now, counted_s, state = 0, 0, ON_TRIAL
    for wait, lasts_s in [*readings, (None, 0)]:
        step = decide(TRIED, wait or tried(200, 195), state, now=float(now))
        assert (step.action is Action.PROMOTE) == (wait is None and counted_s >= TRIED.canary.seconds)
        if step.action is Action.PROMOTE:
            return
        state, now, counted_s = step.state, now + lasts_s, counted_s + (lasts_s if wait is None else 0)


def test_a_rollout_that_waited_in_the_status_of_an_older_release_begins_to_count_anew():
    shown = {"stage": "Warming", "since": "1970-01-01T00:00:00Z", "waiting": True}
    shown |= {"serving": {"uri": OLD.uri, "digest": OLD.digest}, "candidate": {"uri": NEW.uri, "digest": NEW.digest}}
    state = restore_rollout({"rollout": shown}, planned=None)
    assert decide(PLAIN, seen(COLD), state, now=2000.0).state.since == 2000.0


@pytest.mark.parametrize(
    ("policy", "sight"), [(replace(PLAIN, paused=True), seen(COLD)), (PLAIN, seen(COLD, silent=1))]
)
def test_no_deadline_runs_out_in_a_pause_or_while_nobody_tells(policy, sight):
    state = decide(policy, sight, replace(WARMING, since=990.0), now=1000.0).state
    after = decide(PLAIN, seen(COLD), state, now=2000.0)
    assert (after.reason, after.state.since) == (DecisionReason.CANDIDATE_WARMING, 1990.0)
